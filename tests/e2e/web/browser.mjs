// Chromium for the tests of the page and for its pictures. WEB is the folder in which the page was built.
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.WEB, "package.json"));
export const { chromium } = require("playwright-core");
export const axePath = () => require.resolve("axe-core/axe.min.js");

export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"],
});
