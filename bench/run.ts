/** `npm run bench -- <name>`: runs one measurement of this folder. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const [name = '', ...rest] = process.argv.slice(2)
const file = join(import.meta.dirname, `${name}.ts`)
if (!/^[a-z]+$/.test(name) || !existsSync(file)) {
  console.error('usage: npm run bench -- crypto | daemon | storage | tokens')
  process.exit(2)
}
process.argv.splice(2, process.argv.length, ...rest)
await import(file)
