// Names of addresses, which all users of the server have; files carry them to other servers.

import { useRef, useState } from "preact/hooks";

import { parseNet, type Alias } from "../lib/alias";
import { save } from "../lib/save";
import { share, useShared } from "../lib/shared";
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
  const list = useShared().aliases;
  const [address, setAddress] = useState("");
  const [name, setName] = useState("");
  const [said, setSaid] = useState("");
  const [failed, setFailed] = useState("");
  const input = useRef<HTMLInputElement>(null);
  const tell = async (set: Alias[], remove: string[] = []): Promise<boolean> => {
    setFailed("");
    return share({ aliases: { set, remove } }).then(() => true, (error: Error) => (setFailed(`Nothing was changed: ${error.message}`), false));
  };
  const wrong = address !== "" && !parseNet(address);
  return (
    <div class="page scroll">
      <h1>Aliases</h1>
      <p class="lead">Names that stand in ladders and tables for an address, an address with a port, or a network; the most exact one counts. All users of this server have them.</p>
      <form class="inline-form" onSubmit={async (e) => {
        e.preventDefault();
        if (wrong || !address || !name || !(await tell([{ address: address.trim(), name: name.trim() }]))) return;
        setAddress("");
        setName("");
      }}>
        <label>Address<input value={address} placeholder="10.0.0.1, 10.0.0.1:5060, 10.2.0.0/16" spellcheck={false} aria-invalid={wrong} onInput={(e) => setAddress(e.currentTarget.value)} /></label>
        <label>Name<input value={name} placeholder="sbc1" maxLength={64} onInput={(e) => setName(e.currentTarget.value)} /></label>
        <button class="primary" disabled={wrong || !address || !name}>Add</button>
        {wrong && <span class="bad" role="alert">That is no address or network.</span>}
        {failed && <span class="bad" role="alert">{failed}</span>}
      </form>
      {list.length > 0 && (
        <table class="plain-table">
          <thead><tr><th>Address</th><th>Name</th><th><span class="sr">Actions</span></th></tr></thead>
          <tbody>{list.map((a) => (
            <tr key={a.address}><td class="mono"><Text text={a.address} /></td><td><Text text={a.name} /></td>
              <td><button type="button" class="small" aria-label={`Remove ${a.name}`} onClick={() => void tell([], [a.address])}>Remove</button></td></tr>
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
          setSaid("");
          if (await tell(read.list)) setSaid(`${read.list.length} read${read.bad ? `, ${read.bad} lines are no aliases` : ""}`);
        }} />
      </p>
    </div>
  );
}
