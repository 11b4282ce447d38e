// Tabs: arrows go from one to the next.

interface Props {
  label: string;
  tabs: [string, string][]; // key, name
  chosen: string;
  choose: (key: string) => void;
  prefix?: string; // of the ids of the tabs
  controls?: string; // id of what they show
}

export function Tabs({ label, tabs, chosen, choose, prefix = "view", controls }: Props) {
  const step = (key: string, by: number) => {
    const keys = tabs.map(([k]) => k);
    const to = keys[(keys.indexOf(key) + by + keys.length) % keys.length];
    choose(to);
    document.getElementById(`${prefix}-${to}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={label}>
      {tabs.map(([key, name]) => (
        <button type="button" key={key} role="tab" id={`${prefix}-${key}`} aria-selected={key === chosen} aria-controls={controls} tabIndex={key === chosen ? 0 : -1}
          onClick={() => choose(key)} onKeyDown={(e) => (e.key === "ArrowRight" ? step(key, 1) : e.key === "ArrowLeft" && step(key, -1))}>{name}</button>
      ))}
    </div>
  );
}
