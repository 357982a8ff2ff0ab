/** The model itself, in its sandbox and its worker, on drawn people; and the calibration that a city runs on its own. */
import { strict as assert } from 'node:assert'
import { execFile } from 'node:child_process'
import { appendFileSync, copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { startAnalyser } from '#src/agents/terminal/face/analyser.ts'
import { distancesOf, reportOf } from '#src/agents/terminal/face/calibration.ts'
import { facePackages } from '#src/agents/terminal/face/packages.ts'
import { openModel } from '#src/agents/terminal/face/sandbox.ts'
import { emptyPicture, pictureOf } from '#src/demo/fake-camera/portraits.ts'
import type { AppError } from '#src/errors.ts'
import { bmp } from '../../support/face.ts'
import { temporaryDirectories } from '../../support/temporary.ts'

const wiped = (bytes: Uint8Array) => bytes.every((byte) => byte === 0)

describe('the face model', function () {
  this.timeout(60_000)
  const newDirectory = temporaryDirectories()

  it('knows a drawn person by his card, sees how he holds his head, and takes nobody else for him', async () => {
    const analyser = startAnalyser(facePackages())
    try {
      const photo = Uint8Array.from(pictureOf('ash', 'card'))
      assert.equal(await analyser.photo(photo), true)
      assert.ok(wiped(photo), 'what was handed over is not kept')
      const front = Uint8Array.from(pictureOf('ash', 'front'))
      const seen = (await analyser.frame(front, 'front')) ?? assert.fail()
      assert.ok(wiped(front))
      assert.deepEqual([seen.faces, seen.pose], [1, 'front'])
      assert.ok((seen.distance ?? 1) < 0.35, `${seen.distance}`)
      assert.ok((seen.box?.width ?? 0) > 0.4 && (seen.box?.width ?? 0) < 1)
      for (const pose of ['left', 'right', 'mouth'] as const)
        assert.equal((await analyser.frame(pictureOf('ash', pose), 'front'))?.pose, pose)
      const turned = await analyser.frame(pictureOf('ash', 'left'), 'left')
      assert.ok((turned?.distance ?? 1) < 0.6, `${turned?.distance}`)
      const other = await analyser.frame(pictureOf('birch', 'front'), 'front')
      assert.ok((other?.distance ?? 0) > 0.5, `${other?.distance}`)
      assert.deepEqual(await analyser.frame(emptyPicture(), 'front'), { faces: 0 })
      assert.equal(await analyser.frame(Buffer.from('ffd8ffd9', 'hex'), 'front'), undefined)
    } finally {
      await analyser.close()
    }
    await assert.rejects(analyser.frame(pictureOf('ash', 'front'), 'front'), /ended/)
  })

  it('finds no face on a card’s photo that shows none, and bears pictures of a single pixel', async () => {
    const analyser = startAnalyser(facePackages())
    assert.equal(await analyser.photo(emptyPicture()), false)
    assert.equal(await analyser.photo(Buffer.from('no picture')), false)
    assert.deepEqual(
      await analyser.frame(
        bmp(1, 1, () => [1, 2, 3]),
        'front',
      ),
      { faces: 0 },
    )
    await analyser.close()
  })

  it('ends with its worker, even before its model is loaded, and is a fault where it cannot be', async () => {
    await startAnalyser(facePackages()).close()
    const absent = startAnalyser({ script: '/nonexistent.js', models: '/nonexistent' })
    await assert.rejects(absent.photo(emptyPicture()), /ENOENT/)
    await absent.close()
  })

  it('is given up in the middle of a picture when it is over', async () => {
    const analyser = startAnalyser(facePackages())
    assert.equal(await analyser.photo(Buffer.from('no picture')), false, 'it is loaded')
    const answered = assert.rejects(analyser.frame(pictureOf('ash', 'front'), 'front'), /ended/)
    await analyser.close()
    await answered
    await analyser.close()
  })

  describe('in its sandbox', () => {
    /** A package that tries whatever a script can, in place of the model. */
    const opened = (script: string) => () => openModel({ script: Buffer.from(script), nets: [] })
    const stub = `var faceapi = { tf: { env: () => ({ setPlatform() {} }), ready: async () => {}, setBackend: async () => { said = what() } }, env: { setEnv() {} } }`
    const says = (what: string) => {
      const script = `var said; function what() { try { return String(${what}) } catch (error) { return 'threw ' + error } }; ${stub}; faceapi.tf.setBackend = async () => { throw what() }`
      let heard = ''
      assert.throws(opened(script), ({ message }: Error) => Boolean((heard = message)))
      return heard
    }

    it('has neither Node nor network', () => {
      for (const name of [
        'process',
        'require',
        'module',
        'fetch',
        'Buffer',
        'XMLHttpRequest',
        'WebSocket',
        'importScripts',
      ])
        assert.match(says(`typeof ${name}`), /failed: undefined$/, name)
    })

    it('makes no code of text, and reaches no realm but its own', () => {
      assert.match(says('eval("1 + 1")'), /EvalError/)
      assert.match(says('(() => {}).constructor("return process")()'), /EvalError/)
      for (const own of [
        'performance.now',
        'console.log',
        'setTimeout',
        'globalThis.constructor ?? Object',
        'TextEncoder',
      ])
        assert.match(
          says(`(${own}).constructor("return typeof process")()`),
          /EvalError|not a constructor|not a function/,
          own,
        )
    })

    it('imports nothing', () => {
      const script = `var heard = 'nothing'; ${stub}; faceapi.tf.setBackend = () => import('node:fs').then(() => { throw 'it got in' }, (error) => { throw 'kept out' })`
      assert.throws(opened(script), /kept out|gave no answer/)
    })

    it('is believed only where its answers have their shape', () => {
      assert.throws(opened(`${stub}; faceapi.tf.setBackend = async () => new Promise(() => {})`), /gave no answer/)
      assert.throws(opened('var faceapi = {}'))
    })
  })

  it('says what to install where its packages are missing, or are not the very ones', async () => {
    const refused = ({ code, message }: AppError) =>
      code === 'config_invalid' && /@vladmandic\/face-api 1\.7\.15 and jpeg-js.*npm ci --include=optional/.test(message)
    const missing = (name: string) => {
      throw new Error(`Cannot find module '${name}'`)
    }
    assert.throws(() => facePackages(missing), refused)
    // The same files but for one byte of the script.
    const { script, models } = facePackages()
    const directory = newDirectory()
    for (const folder of ['dist', 'model']) mkdirSync(join(directory, folder))
    for (const file of readdirSync(models)) copyFileSync(join(models, file), join(directory, 'model', file))
    copyFileSync(script, join(directory, 'dist/face-api.js'))
    const find = () => join(directory, 'package.json')
    const known = facePackages(find)
    assert.equal(known.models, join(directory, 'model'))
    appendFileSync(join(directory, 'dist/face-api.js'), ' ')
    assert.throws(() => facePackages(find), refused)
    // Exchanged under an agent that runs, they are not run either.
    const analyser = startAnalyser(known)
    await assert.rejects(analyser.photo(emptyPicture()), /other ones/)
    await analyser.close()
  })

  it('is measured on a city’s own pictures', async () => {
    const directory = newDirectory()
    for (const person of ['ash', 'cedar']) mkdirSync(join(directory, person))
    for (const [person, shot] of [
      ['ash', 'front'],
      ['ash', 'card'],
      ['cedar', 'front'],
    ] as const)
      writeFileSync(join(directory, person, `${shot}.jpg`), pictureOf(person, shot))
    writeFileSync(join(directory, 'ash', 'wall.jpg'), emptyPicture())
    writeFileSync(join(directory, 'ash', 'broken.bmp'), 'BM')
    writeFileSync(join(directory, 'ash', 'notes.txt'), 'not a picture')
    const program = resolve(import.meta.dirname, '../../../src/agents/face-calibration.ts')
    const { stdout } = await promisify(execFile)(process.execPath, [program, directory])
    assert.match(stdout, /^2 people, 5 pictures; 1 could not be read, 1 without exactly one face$/m)
    assert.match(stdout, /^genuine +1 pairs: median 0\.\d{3}, least 0\.[012]\d\d, most 0\.[0123]\d\d$/m)
    assert.match(stdout, /^impostor +2 pairs: median 0\.[56]\d\d, least 0\.[56]\d\d, most 0\.[67]\d\d$/m)
    assert.match(stdout, /^at 0\.45: false matches 0 of 2 \(0\.00 %\), false non-matches 0 of 1 \(0\.00 %\)$/m)
    assert.doesNotMatch(stdout, /ash|cedar|front/)
    const alone = await promisify(execFile)(process.execPath, [program]).catch(
      (error: { code: number; stderr: string }) => error,
    )
    assert.match(alone.stderr, /face-calibration -- <directory>/)
  })

  it('is reported by what each threshold lets through and keeps out', () => {
    const at = (value: number) => new Float32Array(128).fill(value / Math.sqrt(128))
    const distances = distancesOf([[at(0), at(0.38)], [at(0.8)], []])
    const rounded = (of: readonly number[]) => of.map((distance) => distance.toFixed(2))
    assert.deepEqual([rounded(distances.genuine), rounded(distances.impostor)], [['0.38'], ['0.42', '0.80']])
    const report = reportOf(distances)
    assert.equal(report[2], 'at 0.35: false matches 0 of 2 (0.00 %), false non-matches 1 of 1 (100.00 %)')
    assert.equal(report[4], 'at 0.45: false matches 1 of 2 (50.00 %), false non-matches 0 of 1 (0.00 %)')
    assert.equal(reportOf({ genuine: [], impostor: [] })[0], 'genuine         0 pairs: median -, least -, most -')
  })
})
