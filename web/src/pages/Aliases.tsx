// Names of addresses, kept in this browser; files carry them to others.

import { useRef, useState } from "preact/hooks";

import { parseNet, type Alias } from "../lib/alias";
import { usePref } from "../lib/prefs";
import { save } from "../lib/save";
import { Text } from "../ui/bits";

/** Lines "address,name"; what is none is told. */
export function parseAliases(text: string): { list: Alias[]; bad: number } {
  const list: Alias[] = [];
  let bad = 0;
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const at = line.indexOf(",");
    const alias = { address: line.slice(0, at).trim(), name: line.slice(at + 1).trim().replace(/^"(.*)"$/, "$1") };
    if (at > 0 && alias.name && parseNet(alias.address)) list.push(alias);
    else bad++;
  }
  return { list, bad };
}

export function AliasPage() {
  const [list, setList] = usePref("aliases");
  const [address, setAddress] = useState("");
  const [name, setName] = useState("");
  const [said, setSaid] = useState("");
  const input = useRef<HTMLInputElement>(null);
  const wrong = address !== "" && !parseNet(address);
  return (
    <div class="page scroll">
      <h1>Aliases</h1>
      <p class="lead">Names that stand in ladders and tables for an address, an address with a port, or a network; the most exact one counts. They are kept in this browser.</p>
      <form class="inline-form" onSubmit={(e) => {
        e.preventDefault();
        if (wrong || !address || !name) return;
        setList([...list.filter((a) => a.address !== address.trim()), { address: address.trim(), name: name.trim() }]);
        setAddress("");
        setName("");
      }}>
        <label>Address<input value={address} placeholder="10.0.0.1, 10.0.0.1:5060, 10.2.0.0/16" spellcheck={false} aria-invalid={wrong} onInput={(e) => setAddress(e.currentTarget.value)} /></label>
        <label>Name<input value={name} placeholder="sbc1" maxLength={64} onInput={(e) => setName(e.currentTarget.value)} /></label>
        <button class="primary" disabled={wrong || !address || !name}>Add</button>
        {wrong && <span class="bad" role="alert">That is no address or network.</span>}
      </form>
      {list.length > 0 && (
        <table class="plain-table">
          <thead><tr><th>Address</th><th>Name</th><th><span class="sr">Actions</span></th></tr></thead>
          <tbody>{list.map((a) => (
            <tr key={a.address}><td class="mono"><Text text={a.address} /></td><td><Text text={a.name} /></td>
              <td><button type="button" class="small" aria-label={`Remove ${a.name}`} onClick={() => setList(list.filter((x) => x !== a))}>Remove</button></td></tr>
          ))}</tbody>
        </table>
      )}
      <p class="row-buttons">
        <button type="button" onClick={() => input.current?.click()}>Read CSV</button>
        <button type="button" disabled={list.length === 0} onClick={() => save("aliases.csv", list.map((a) => `${a.address},${a.name}\n`).join(""), "text/csv")}>Save CSV</button>
        <span role="status" class="note">{said}</span>
        <input ref={input} type="file" hidden accept=".csv,text/csv,text/plain" onChange={async (e) => {
          const file = e.currentTarget.files?.[0];
          e.currentTarget.value = "";
          if (!file) return;
          const read = parseAliases(await file.text());
          const names = new Set(read.list.map((a) => a.address));
          setList([...list.filter((a) => !names.has(a.address)), ...read.list]);
          setSaid(`${read.list.length} read${read.bad ? `, ${read.bad} lines are no aliases` : ""}`);
        }} />
      </p>
    </div>
  );
}
