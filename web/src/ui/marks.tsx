// States and scores: a colour, and a shape for who does not see it.

import { lookOf, lookOfMos } from "../lib/call";
import { Text } from "./bits";

export function State({ state }: { state: string }) {
  if (state === "") return null;
  const look = lookOf(state);
  return <span class={`mark ${look.tone}`}><i aria-hidden="true">{look.shape}</i> <Text text={state} /></span>;
}

export function Mos({ mos }: { mos?: number }) {
  if (mos === undefined) return null;
  const look = lookOfMos(mos);
  return <span class={`mark ${look.tone}`}><i aria-hidden="true">{look.shape}</i> {mos.toFixed(2)}</span>;
}
