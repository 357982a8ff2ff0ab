/** Where the optional packages of a comparison are, looked for only where a terminal compares faces. */
import { createHash } from 'node:crypto'
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

/** The nets that are used, and their files in the package's folder of models. */
const nets = {
  tinyFaceDetector: 'tiny_face_detector_model',
  faceLandmark68Net: 'face_landmark_68_model',
  faceRecognitionNet: 'face_recognition_model',
} as const

/** Of the files that this code was written for. Nothing else by that name is run. */
const digest = '2f3c137325c49bf5a11524b8f8a30ac13723fd3a20b79ce5265f568cd68ec3af'

const { resolve } = createRequire(import.meta.url)

/** What is run, in memory. */
export interface ModelFiles {
  readonly script: Buffer
  readonly nets: readonly { readonly name: string; readonly manifest: Buffer; readonly weights: Buffer }[]
}

/**
 * Read anew for each comparison, and each time it is these very bytes that are run whose digest was taken: a package may
 * be exchanged under an agent that runs.
 * @throws TypeError where they are other ones
 */
export function knownFiles({ script, models }: FacePackages): ModelFiles {
  const files = {
    script: readFileSync(script),
    nets: Object.entries(nets).map(([name, file]) => ({
      name,
      manifest: readFileSync(join(models, `${file}-weights_manifest.json`)),
      weights: readFileSync(join(models, `${file}.bin`)),
    })),
  }
  const hash = createHash('sha256').update(files.script)
  for (const { manifest, weights } of files.nets) hash.update(manifest).update(weights)
  if (hash.digest('hex') !== digest) throw new TypeError('the files of the face model are other ones')
  return files
}

/** @throws AppError `config_invalid` saying what to install */
export function facePackages(find: (name: string) => string = resolve): FacePackages {
  try {
    find('jpeg-js')
    const at = dirname(find('@vladmandic/face-api/package.json'))
    const packages = { script: join(at, 'dist/face-api.js'), models: join(at, 'model') }
    knownFiles(packages)
    return packages
  } catch (cause) {
    const detail =
      'face: comparing faces needs the optional packages @vladmandic/face-api 1.7.15 and jpeg-js; ' +
      'install them with: npm ci --include=optional'
    throw new AppError('config_invalid', { detail, cause })
  }
}
