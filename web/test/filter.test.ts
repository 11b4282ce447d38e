import { describe, expect, it } from "vitest";

import { addTest, charOfOctet, completeField, completeValue, contextAt, quote, tokens } from "../src/lib/filter";
import type { Field } from "../src/lib/types";

const field = (name: string, aliases: string[] = [], description = name): Field => ({ name, aliases, kind: "text", description, example: "", of: ["messages"], values: true });
const FIELDS = [field("from", ["from_user"], "user of From"), field("status", ["code"], "status of the response"), field("state"), field("ruri", [], "request URI")];

/** The filter with "|" for the caret. */
const at = (text: string) => contextAt(text.replace("|", ""), text.indexOf("|"));

describe("what is typed at the caret", () => {
  it("is a field until the colon, a value behind it", () => {
    expect(at("st|")).toEqual({ kind: "field", from: 0, to: 2, prefix: "st" });
    expect(at("from:a st|atus:200")).toEqual({ kind: "field", from: 7, to: 13, prefix: "st" });
    expect(at("from:+15|")).toEqual({ kind: "value", from: 5, to: 8, field: "from", prefix: "+15" });
    expect(at("")).toMatchObject({ kind: "field", prefix: "" });
  });

  it("is one value of a list, and is not confused by quotes and parentheses", () => {
    expect(at("status:200,4|04")).toEqual({ kind: "value", from: 11, to: 14, field: "status", prefix: "4" });
    expect(at('NOT (from:"a b|" OR x)')).toMatchObject({ kind: "value", field: "from", prefix: "a b" });
    expect(at('from:"a,b",c|')).toMatchObject({ kind: "value", prefix: "c" });
  });

  it("is cut into words whatever it is", () => {
    expect(tokens('a (b OR "c d") from:/x y/').map((t) => t.text)).toEqual(["a", "(", "b", "OR", '"c d"', ")", "from:/x y/"]);
    expect(() => tokens('"never closed \\')).not.toThrow();
  });
});

describe("completion", () => {
  it("offers fields that begin so, then aliases, then descriptions", () => {
    expect(completeField(at("st|"), FIELDS).map((c) => c.text)).toEqual(["status:", "state:", "ruri:"]);
    expect(completeField(at("cod|"), FIELDS).map((c) => c.text)).toEqual(["status:"]);
    expect(completeField(at("uri|"), FIELDS)[0]).toMatchObject({ insert: "ruri:", from: 0, to: 3 });
    expect(completeField(at("no|"), FIELDS).map((c) => c.insert)).toContain("NOT ");
  });

  it("writes values so that they mean themselves", () => {
    const [choice] = completeValue(at("from:b|"), [{ value: 'bob "the" * (x)', count: 1200 }]);
    expect(choice).toMatchObject({ insert: '"bob \\"the\\" \\* (x)"', note: "1,200", from: 5, to: 6 });
    expect(quote("+49301234@a.example")).toBe("+49301234@a.example");
    expect(quote("")).toBe('""');
    expect(quote("a..b")).toBe('"a..b"');
    expect(quote(">5")).toBe('">5"');
  });

  it("adds tests without changing what was there", () => {
    expect(addTest("", "a:1")).toBe("a:1");
    expect(addTest("b:2", "a:1")).toBe("b:2 a:1");
    expect(addTest("b:2 OR c:3", "a:1")).toBe("(b:2 OR c:3) a:1");
  });

  it("finds the character of an octet", () => {
    expect(charOfOctet("from:ü x", 8)).toBe(7);
  });
});
