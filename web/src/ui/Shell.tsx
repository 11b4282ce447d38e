// What is around every page: navigation, state of the server, settings.

import { Component, type ComponentChildren, type ComponentType } from "preact";
import { useEffect, useLayoutEffect, useState } from "preact/hooks";

import { health, watch } from "../lib/api";
import { usePref } from "../lib/prefs";
import type { Health } from "../lib/types";
import { href, usePlace } from "../lib/url";
import { AliasPage } from "../pages/Aliases";
import { Call } from "../pages/Call";
import { Calls } from "../pages/Calls";
import { Dashboard } from "../pages/Dashboard";
import { Import } from "../pages/Import";
import { Live } from "../pages/Live";
import { Messages } from "../pages/Messages";
import type { PageProps } from "../pages/page";
import { Quality } from "../pages/Quality";
import { Registrations } from "../pages/Registrations";
import { Senders } from "../pages/Senders";
import { useKeys } from "./bits";
import { KeysHelp } from "./KeysHelp";

interface Entry {
  page: string;
  name: string;
  icon: string; // path in a box of 24
  view: ComponentType<PageProps>;
  hidden?: boolean;
}

const PAGES: Entry[] = [
  { page: "calls", name: "Calls", icon: "M5 4h4l2 5-2.5 1.5a11 11 0 0 0 5 5L15 13l5 2v4a2 2 0 0 1-2 2A15 15 0 0 1 3 6a2 2 0 0 1 2-2", view: Calls },
  { page: "messages", name: "Messages", icon: "M4 6h16M4 12h16M4 18h10", view: Messages },
  { page: "registrations", name: "Registrations", icon: "M16 20v-2a4 4 0 0 0-8 0v2M12 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM18 8l2 2 3-3", view: Registrations },
  { page: "live", name: "Live", icon: "M3 12h4l3-8 4 16 3-8h4", view: Live },
  { page: "quality", name: "Quality", icon: "M4 20V10m5 10V4m5 16v-8m5 8V7", view: Quality },
  { page: "dashboard", name: "Dashboard", icon: "M4 13a8 8 0 0 1 16 0M12 13l4-4M5 19h14", view: Dashboard },
  { page: "senders", name: "Senders", icon: "M5 12a7 7 0 0 1 14 0M8.5 12a3.5 3.5 0 0 1 7 0M12 12v8", view: Senders },
  { page: "import", name: "Import", icon: "M12 3v12m-5-5 5 5 5-5M4 20h16", view: Import },
  { page: "aliases", name: "Aliases", icon: "M3 12V4h8l10 10-8 8zM7.5 8h.01", view: AliasPage },
  { page: "call", name: "Call", icon: "", view: Call, hidden: true },
];

export function Shell() {
  const place = usePlace();
  const entry = PAGES.find((e) => e.page === place.page);
  const View = entry?.view;
  const [help, setHelp] = useState(false);
  useTheme();
  useKeys((key) => {
    if (key === "/") return document.getElementById("q")?.focus(), document.getElementById("q") !== null;
    if (key === "?" && place.page !== "call") return setHelp(true), true;
  });
  return (
    <div class="shell">
      <a class="skip" href="#main" onClick={(e) => (e.preventDefault(), document.getElementById("main")?.focus())}>To the content</a>
      <nav aria-label="Pages">
        <a class="brand" href={href(PAGES[0].page)}><img src="./icon.svg" alt="" width="24" height="24" /> <span>hepcat</span></a>
        {PAGES.filter((e) => !e.hidden).map((e) => (
          <a key={e.page} href={href(e.page)} class="nav" aria-current={e.page === place.page ? "page" : undefined}>
            <svg viewBox="0 0 24 24" aria-hidden="true"><path d={e.icon} /></svg><span>{e.name}</span>
          </a>
        ))}
        <span class="grow" />
        <State />
        <Theme />
      </nav>
      <main id="main" tabIndex={-1}>
        <LostBanner />
        <Guard key={place.page}>{View ? <View place={place} /> : <div class="nothing"><p>There is no such page.</p><a class="button" href={href(PAGES[0].page)}>To the start</a></div>}</Guard>
      </main>
      {help && <KeysHelp close={() => setHelp(false)} />}
    </div>
  );
}

/** A defect of one page must not take the others with it. */
class Guard extends Component<{ children: ComponentChildren }, { failed: Error | null }> {
  state = { failed: null };
  static getDerivedStateFromError(failed: Error) {
    return { failed };
  }
  render() {
    return this.state.failed
      ? <div class="nothing" role="alert"><p>This page has a defect: {String(this.state.failed)}</p><button type="button" onClick={() => location.reload()}>Load it again</button></div>
      : this.props.children;
  }
}

function useTheme(): void {
  const [theme] = usePref("theme");
  useLayoutEffect(() => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  }, [theme]);
}

function Theme() {
  const [theme, setTheme] = usePref("theme");
  const dark = theme === "dark" || (theme === "" && matchMedia("(prefers-color-scheme: dark)").matches);
  return (
    <button type="button" class="nav" aria-label={dark ? "Light colours" : "Dark colours"} title={dark ? "Light colours" : "Dark colours"} onClick={() => setTheme(dark ? "light" : "dark")}>
      <svg viewBox="0 0 24 24" aria-hidden="true"><path d={dark ? "M12 4V2m0 20v-2m8-8h2M2 12h2m13.7-5.7 1.4-1.4M4.9 19.1l1.4-1.4m0-11.4L4.9 4.9m14.2 14.2-1.4-1.4M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z" : "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z"} /></svg>
      <span>{dark ? "Light" : "Dark"}</span>
    </button>
  );
}

const HEALTH_MS = 10_000;

function State() {
  const [state, setState] = useState<Health | null>(null);
  const [there, setThere] = useState(true);
  useEffect(() => {
    const stop = new AbortController();
    const look = () => void health<Health>(stop.signal).then((h) => (setState(h), setThere(true)), () => !stop.signal.aborted && setThere(false));
    look();
    const timer = setInterval(() => document.visibilityState === "visible" && look(), HEALTH_MS);
    return () => {
      clearInterval(timer);
      stop.abort();
    };
  }, []);
  const kind = there ? (state?.status ?? "ok") : "failing";
  const words = !there ? "no answer" : kind === "ok" ? "well" : (state?.reasons?.[0]?.code.replace(/_/g, " ") ?? kind);
  return (
    <a class={`nav state ${kind}`} href={href("senders")} title={state?.reasons?.map((r) => r.text).join("\n") || "state of the server"}>
      <svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="5" /></svg><span>{words}</span>
    </a>
  );
}

/** Says that the server is gone, and looks for it; what is on the screen stays. */
function LostBanner() {
  const [lost, setLost] = useState(false);
  useEffect(() => watch((there) => setLost(!there)), []);
  useEffect(() => {
    if (!lost) return;
    const timer = setInterval(() => void health().catch(() => undefined), 2000);
    return () => clearInterval(timer);
  }, [lost]);
  return lost ? <div class="lost" role="alert">The server does not answer. What is shown stays; looking for it again every two seconds…</div> : null;
}
