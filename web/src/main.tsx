import "uplot/dist/uPlot.min.css";
import "./app.css";

import { render } from "preact";

import { startSharing } from "./lib/shared";
import { fromOldAddress } from "./lib/url";
import { Shell } from "./ui/Shell";

const old = fromOldAddress(location.search);
if (old) history.replaceState(null, "", location.pathname + old);

startSharing();
render(<Shell />, document.getElementById("app")!);
