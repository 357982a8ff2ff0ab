/** The openssl command, another hand than ours; a machine may lack it, CI may not. */
import { execFileSync } from 'node:child_process'
import type { Context } from 'mocha'

/** Runs it and gives what it prints. */
export function openssl(...args: readonly string[]): string {
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' })
}

/** Skips the suite whose `before` this is, outside CI, where there is no openssl with SM2. */
export function needsOpenssl(context: Context): void {
  try {
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:SM2')
  } catch (error) {
    if (process.env['CI'] === 'true') throw error
    console.log('    skipped: there is no openssl with SM2 on this machine')
    context.skip()
  }
}
