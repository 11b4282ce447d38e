import { defineConfig } from "vite";

// Names without hashes: the executable holds a fixed list of files, and an entity tag for each does what a hash would.
export default defineConfig({
  base: "./",
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  build: {
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rollupOptions: {
      input: { app: "index.html", live: "src/live-worker.ts" },
      output: { entryFileNames: "[name].js", chunkFileNames: "shared.js", assetFileNames: "app[extname]" },
    },
  },
});
