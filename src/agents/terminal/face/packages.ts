/** Where the optional packages of a comparison are, looked for only where a terminal compares faces. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { AppError } from '#src/errors.ts'

export interface FacePackages {
  /** The package's script, and the folder of its models. */
  readonly script: string
  readonly models: string
}

/** What readings name the model by. Another version is another model, with distances of its own. */
export const modelName = 'face-api-1.7.15'

const { resolve } = createRequire(import.meta.url)

/** @throws AppError `config_invalid` saying what to install */
export function facePackages(find: (name: string) => string = resolve): FacePackages {
  try {
    find('jpeg-js')
    const manifest = find('@vladmandic/face-api/package.json')
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version: string }
    if (`face-api-${version}` !== modelName) throw new TypeError(`version ${version} is there`)
    const at = dirname(manifest)
    return { script: join(at, 'dist/face-api.js'), models: join(at, 'model') }
  } catch (cause) {
    const detail =
      'face: comparing faces needs the optional packages @vladmandic/face-api 1.7.15 and jpeg-js; ' +
      'install them with: npm ci --include=optional'
    throw new AppError('config_invalid', { detail, cause })
  }
}
