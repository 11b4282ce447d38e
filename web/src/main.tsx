import "uplot/dist/uPlot.min.css";
import "./app.css";

import { render } from "preact";

import { fromOldAddress } from "./lib/url";
import { Shell } from "./ui/Shell";

const old = fromOldAddress(location.search);
if (old) history.replaceState(null, "", location.pathname + old);

render(<Shell />, document.getElementById("app")!);
