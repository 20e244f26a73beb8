import { defineConfig } from 'vite'

// The build is committed: names without hashes keep its differences small, and
// the server forbids caches anyway.
export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    modulePreload: false,
    assetsInlineLimit: 0,
    rollupOptions: {
      output: { entryFileNames: 'page.js', assetFileNames: '[name][extname]' },
    },
  },
})
