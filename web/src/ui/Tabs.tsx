// Tabs: arrows go from one to the next.

export function Tabs({ label, tabs, chosen, choose }: { label: string; tabs: [string, string][]; chosen: string; choose: (key: string) => void }) {
  const step = (key: string, by: number) => {
    const keys = tabs.map(([k]) => k);
    const to = keys[(keys.indexOf(key) + by + keys.length) % keys.length];
    choose(to);
    document.getElementById(`view-${to}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={label}>
      {tabs.map(([key, name]) => (
        <button type="button" key={key} role="tab" id={`view-${key}`} aria-selected={key === chosen} tabIndex={key === chosen ? 0 : -1} onClick={() => choose(key)}
          onKeyDown={(e) => (e.key === "ArrowRight" ? step(key, 1) : e.key === "ArrowLeft" && step(key, -1))}>{name}</button>
      ))}
    </div>
  );
}
