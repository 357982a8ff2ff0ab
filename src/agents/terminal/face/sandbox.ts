/**
 * The model in a realm of its own, with neither network, files, processes nor modules, where code cannot be made from
 * text: its author no longer develops the package, so it gets numbers and gives numbers. What it is asked goes in as text
 * of ours, and what comes back is believed only where it has its shape. A realm keeps in what has gone wrong, not what
 * wants out (`import()` leads back); so nothing runs here but the very files whose digest `packages.ts` knows.
 */
import { types } from 'node:util'
import { createContext, runInContext, Script } from 'node:vm'
import { z } from 'zod'
import { prepare } from './inside.ts'
import type { ModelFiles } from './packages.ts'
import type { Picture } from './pictures.ts'

const coordinate = z.number().min(-100_000).max(100_000)
const foundSchema = z.union([
  z.strictObject({ faces: z.literal(0) }),
  z.strictObject({
    faces: z.int().min(1),
    box: z.strictObject({ x: coordinate, y: coordinate, width: coordinate.positive(), height: coordinate.positive() }),
    points: z.array(z.tuple([coordinate, coordinate])).length(68),
  }),
])
/** The largest face, how many about as large there are, and its 68 landmarks in the picture's pixels. */
export type Found = Readonly<z.infer<typeof foundSchema>>

export interface Model {
  /** @param inputSize what the picture is shrunk to, a multiple of 32: the larger, the smaller a face may be */
  find(picture: Picture, inputSize: number): Found
  /** What the face found last is recognised by: 128 numbers; the caller's, to wipe. */
  describe(): Float32Array
  /** Wipes the picture and what was found in it. */
  forget(): void
}

const longestMs = 30_000
/** What the package takes for granted, of which nothing leads anywhere. */
const surroundings = `
globalThis.self = globalThis
globalThis.performance = { now: () => Date.now() }
globalThis.console = { log() {}, info() {}, warn() {}, error() {}, debug() {} }
globalThis.TextEncoder = globalThis.TextDecoder = class {}
globalThis.setTimeout = (later) => void Promise.resolve().then(later)
globalThis.clearTimeout = () => undefined
`

/** @throws Error where package and models do not fit one another */
export function openModel({ script, nets }: ModelFiles): Model {
  const context = createContext(Object.create(null), {
    codeGeneration: { strings: false, wasm: false },
    // A question and all that follows of it is over when `run` comes back.
    microtaskMode: 'afterEvaluate',
  })
  const run = (text: string): unknown => runInContext(text, context, { timeout: longestMs })
  const ask = (question: string): unknown => {
    run(`model.${question}`)
    const answer = run('model.answer()')
    const said: unknown = typeof answer === 'string' && answer !== '' ? JSON.parse(answer) : undefined
    if (typeof said !== 'object' || said === null) throw new Error('the face model gave no answer')
    if ('error' in said) throw new Error(`the face model failed: ${String(said.error).slice(0, 200)}`)
    return said
  }

  run(surroundings)
  new Script(script.toString()).runInContext(context)
  run(`globalThis.model = (${prepare.toString()})(faceapi)`)
  ask('start()')
  for (const { name, manifest, weights } of nets) {
    const room = run(`model.weightRoom(${weights.length})`)
    // The method of this realm, which works on true arrays of bytes alone and calls nothing of theirs.
    Uint8Array.prototype.set.call(room, weights)
    run(`model.load('${name}', ${JSON.stringify(JSON.parse(manifest.toString()))})`)
  }

  return {
    find({ width, height, rgb }, inputSize) {
      const room = run(`model.pixelRoom(${width * height * 3})`)
      Int32Array.prototype.set.call(room, rgb)
      return foundSchema.parse(ask(`find(${width}, ${height}, ${inputSize})`))
    },
    describe() {
      ask('describe()')
      const inside = run('model.descriptor()')
      if (!types.isFloat32Array(inside)) throw new Error('the face model gave no descriptor')
      return new Float32Array(128).map((_, at) => inside[at] ?? NaN)
    },
    forget: () => void run('model.forget()'),
  }
}
