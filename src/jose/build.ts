/**
 * Builds the package as npm carries it, JavaScript with declarations: `npm run build [-- folder]`, then `npm pack` or
 * `npm publish` of that folder. Needed because Node strips no types below node_modules.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'

const here = import.meta.dirname
const folder = resolve(process.argv[2] ?? join(here, 'dist'))
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')

rmSync(folder, { recursive: true, force: true })
execFileSync(tsc, ['-p', join(here, 'tsconfig.build.json'), '--outDir', folder], { stdio: 'inherit' })
cpSync(join(here, 'README.md'), join(folder, 'README.md'))

const { scripts: _scripts, ...manifest } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8')) as {
  exports: Record<string, string>
  scripts?: object
}
const exports = Object.entries(manifest.exports).map(([path, file]) => [
  path,
  file.endsWith('.ts') ? built(file) : file,
])
const published = { ...manifest, exports: Object.fromEntries(exports) }
writeFileSync(join(folder, 'package.json'), `${JSON.stringify(published, null, 2)}\n`)

function built(file: string): { types: string; default: string } {
  return { types: file.replace(/\.ts$/, '.d.ts'), default: file.replace(/\.ts$/, '.js') }
}
