// What keys do.

import { Dialog } from "./bits";

const KEYS: [string, string][] = [
  ["j  k  ↓  ↑", "next, previous row"], ["Home  End", "first, last row"], ["Enter", "open the call; in a ladder, into the message"], ["n  p", "next, previous call of the list"],
  ["/", "filter; in a ladder, find"], ["m", "mark a message to compare with"], ["d", "compare: with the marked one, else with its counterpart"],
  ["Shift ←  Shift →", "move the lane that has the focus"], ["Space", "pause live messages"], ["Esc", "close, back"], ["?", "this list"],
];

export function KeysHelp({ close }: { close: () => void }) {
  return (
    <Dialog title="Keys" close={close}>
      <table class="plain-table keys"><tbody>{KEYS.map(([k, what]) => <tr key={k}><th scope="row"><kbd>{k}</kbd></th><td>{what}</td></tr>)}</tbody></table>
    </Dialog>
  );
}
