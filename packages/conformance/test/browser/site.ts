// The test's half of browser tests: builds a page as a user would for production, serves it on loopback, and opens it in headless
// Chromium.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Browser, type Page } from 'playwright-core'
import { build, preview, type InlineConfig, type PreviewServer } from 'vite'
import type { OnPage } from './page.js'

export const CHROMIUM = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'
export const hasChromium = existsSync(CHROMIUM)
if (!hasChromium)
  console.warn(
    `skipped the tests in a browser: no Chromium at ${CHROMIUM}; install it, or name one in CHROMIUM_PATH`,
  )

const FLAGS = [
  '--no-sandbox',
  // WebGPU without a GPU: Chromium's own software device.
  '--enable-unsafe-webgpu',
  '--enable-features=Vulkan',
  '--use-webgpu-adapter=swiftshader',
]

const CONDITIONS = ['browser', 'module', 'import', 'default']

/** With these headers a page is cross-origin isolated, and threads may share memory. */
const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
}

/** A page that is open in Chromium. */
export interface OpenPage<Functions> {
  /** Calls one of the page's functions. @throws if the page has reported an error by then. */
  call<K extends keyof Functions>(
    name: K,
    ...args: Arguments<Functions[K]>
  ): Promise<Answer<Functions[K]>>
  readonly cores: number
  readonly page: Page
  /** Messages of the errors that nothing on the page has caught. */
  readonly errors: readonly string[]
}
type Arguments<F> = F extends (...args: infer A) => unknown ? A : never
type Answer<F> = F extends (...args: never[]) => Promise<infer T> ? T : never

export interface Site<Functions> {
  /** Paths of the modules in the bundle. */
  readonly modules: readonly string[]
  /** Specifiers that the bundle still imports. */
  readonly imports: readonly string[]
  /**
   * Opens the page.
   * @param isolated whether it is cross-origin isolated, as threads require.
   * @param query part of the address from the question mark on.
   */
  open(options?: { isolated?: boolean; query?: string }): Promise<OpenPage<Functions>>
  close(): Promise<void>
}

/**
 * Builds the page of a directory, minified.
 * @param root directory of index.html, whose script calls `offer` if tests call functions of the page.
 * @param from sources of the packages, or what a user gets: their built files.
 */
export async function buildSite<Functions extends OnPage = OnPage>(
  root: string,
  from: 'sources' | 'built' = 'sources',
): Promise<Site<Functions>> {
  const outDir = mkdtempSync(join(tmpdir(), 'embed-kd-browser-'))
  const config: InlineConfig = {
    configFile: false,
    logLevel: 'error',
    root,
    ...(from === 'sources' && { resolve: { conditions: ['@embed-kd/source', ...CONDITIONS] } }),
    build: { outDir, emptyOutDir: true, target: 'esnext' },
  }
  const result = await build(config)
  const outputs = [result].flat().flatMap((bundle) => ('output' in bundle ? bundle.output : []))
  const chunks = outputs.filter((output) => output.type === 'chunk')
  const servers: PreviewServer[] = []
  let browser: Browser | undefined
  return {
    modules: chunks.flatMap((chunk) => chunk.moduleIds),
    imports: chunks.flatMap((chunk) => [...chunk.imports, ...chunk.dynamicImports]),
    async open({ isolated = false, query = '' } = {}) {
      const headers = isolated ? ISOLATION : {}
      const server = await preview({ ...config, preview: { host: '127.0.0.1', port: 0, headers } })
      servers.push(server)
      browser ??= await chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
      const page = await browser.newPage()
      const errors: string[] = []
      page.on('pageerror', (error) => errors.push(error.message))
      await page.goto(server.resolvedUrls!.local[0]! + query)
      return {
        page,
        errors,
        cores: await page.evaluate<number>('navigator.hardwareConcurrency'),
        async call(name, ...args) {
          const answer = await page.evaluate(
            ([name, args]) =>
              (globalThis as unknown as { onPage: Record<string, (...args: unknown[]) => never> })
                .onPage[name]!(...args),
            [name as string, args as unknown[]] as const,
          )
          if (errors.length > 0) throw new Error(`the page reports ${errors.join('; ')}`)
          return answer
        },
      }
    },
    async close() {
      await browser?.close()
      for (const server of servers) await server.close()
      rmSync(outDir, { recursive: true })
    },
  }
}
