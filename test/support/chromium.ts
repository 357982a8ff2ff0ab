/**
 * The system's Chromium, or the one `CHROMIUM` names, for the browser suites. Where it is missing they are skipped with
 * one clear line, but never in CI, where that is a failure.
 */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core'

export type { Browser, BrowserContext, Page } from 'playwright-core'

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'

const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export const launchChromium = (): Promise<Browser> => chromium.launch({ executablePath, args })

/** For a `before` hook: the browser, or the suite is skipped. @throws Error in CI where there is no Chromium */
export async function openChromium(suite: Mocha.Context): Promise<Browser> {
  if (!existsSync(executablePath)) {
    if (process.env['CI'] === 'true') throw new Error(`the browser suites need ${executablePath}: install chromium`)
    console.log(`    skipped: the browser suites need ${executablePath} (install Debian's package chromium)`)
    suite.skip()
  }
  return launchChromium()
}

export interface Tab {
  readonly context: BrowserContext
  readonly page: Page
  /** What the page's policy refused, and errors of its scripts: a test ends with none. */
  readonly complaints: string[]
}

/** A page of somebody whom nothing is remembered of; on a small telephone, in Chinese, unless told otherwise. */
export async function openTab(
  browser: Browser,
  options: BrowserContextOptions = {},
  complaint = /Content Security Policy|Refused to/,
): Promise<Tab> {
  const context = await browser.newContext({ locale: 'zh-CN', viewport: { width: 360, height: 640 }, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(10_000)
  const complaints: string[] = []
  page.on('console', (message) => {
    if (complaint.test(message.text())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  return { context, page, complaints }
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface AxeResults {
  readonly violations: readonly {
    readonly id: string
    readonly help: string
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[]
  }[]
}

/** What WCAG 2.1 A and AA refuse on this page, one line each. The context must bypass the page's CSP. */
export async function accessibilityFaults(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe)
  const run = `axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] })`
  const { violations } = (await page.evaluate(run)) as AxeResults
  return violations.flatMap(({ id, help, nodes }) => nodes.map(({ html }) => `${id}: ${help}: ${html}`))
}
