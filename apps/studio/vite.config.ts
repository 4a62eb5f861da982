// Builds the studio into static files. Isolation from other origins, which a server must send headers for, gives wasm its threads.
import { defineConfig } from 'vite'

const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
}

export default defineConfig({
  base: './',
  resolve: { conditions: ['@embed-kd/source', 'browser', 'module', 'import', 'default'] },
  // tsc writes its declarations elsewhere, so this folder is Vite's alone.
  build: { outDir: 'dist', target: 'esnext', reportCompressedSize: false },
  worker: { format: 'es' },
  server: { headers },
  preview: { headers },
  logLevel: 'warn',
})
