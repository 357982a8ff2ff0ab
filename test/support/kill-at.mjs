/**
 * Preloaded by `--import`: kills the process, as kill -9 would, before or after its nth change of a file whose name holds
 * `KILL_NEAR`. So a test can try every step there is instead of guessing moments.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const near = process.env['KILL_NEAR'] ?? ''
let left = Number(process.env['KILL_AT'])
const descriptors = new Set()

const step = () => {
  if (left === 0) process.kill(process.pid, 'SIGKILL')
  left -= 1
}

for (const name of ['writeFileSync', 'openSync', 'fsyncSync', 'linkSync', 'renameSync', 'rmSync']) {
  const original = fs[name]
  fs[name] = (...args) => {
    const matters = args.some((arg) => (typeof arg === 'number' ? descriptors.has(arg) : String(arg).includes(near)))
    if (matters) step()
    const result = original(...args)
    if (matters && name === 'openSync') descriptors.add(result)
    if (matters) step()
    return result
  }
}
syncBuiltinESMExports()
