/** What pictures come from, and what is done with those that are none: files, decoders, cameras, hostile ones too. */
import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { cameraAt, type TakePicture } from '#src/agents/terminal/face/camera.ts'
import { photoDecoder } from '#src/agents/terminal/face/card-photo.ts'
import { openFeed } from '#src/agents/terminal/face/feed.ts'
import { openPictureReader, withMargin, type PictureReader } from '#src/agents/terminal/face/pictures.ts'
import { photoOf, pictureOf } from '#src/demo/fake-camera/portraits.ts'
import { bmp, serve } from '../../support/face.ts'
import { timesInMemory } from '../../support/memory.ts'
import { temporaryDirectories } from '../../support/temporary.ts'

const never = new AbortController().signal
const wiped = (bytes: Uint8Array) => bytes.every((byte) => byte === 0)

describe('pictures for a face comparison', () => {
  let read: PictureReader
  before(async () => {
    read = await openPictureReader()
  })

  it('are BMP from either side, whose rows are padded to four bytes', () => {
    const pixel = (x: number, y: number) => [10 * x + 1, 10 * y + 2, 10 * x + y]
    for (const topDown of [false, true]) {
      const picture = read(bmp(3, 2, pixel, topDown))
      assert.deepEqual([picture?.width, picture?.height], [3, 2])
      const rgb = [0, 1].flatMap((y) => [0, 1, 2].flatMap((x) => pixel(x, y)))
      assert.deepEqual([...(picture?.rgb ?? [])], rgb)
    }
    assert.ok(read(bmp(3, 2, pixel).subarray(0, -3)), 'the padding of the last row may be missing')
  })

  it('are JPEG, as cameras and decoders give it', () => {
    const { width, height, rgb } = read(pictureOf('ash', 'card')) ?? assert.fail()
    assert.deepEqual([width, height, rgb.length], [102, 126, 102 * 126 * 3])
  })

  it('are refused where they are cut, larger than a camera’s, or not what they say', () => {
    const fine = bmp(8, 8, () => [1, 2, 3])
    const changed = (at: number, value: number, bytes: 2 | 4 = 4) => {
      const other = Buffer.from(fine)
      if (bytes === 4) other.writeInt32LE(value, at)
      else other.writeUInt16LE(value, at)
      return other
    }
    const hostile: Readonly<Record<string, Buffer>> = {
      nothing: Buffer.alloc(0),
      'two bytes': Buffer.from('BM'),
      'a cut BMP': fine.subarray(0, fine.length - 30),
      'a BMP of more pixels than it has': changed(18, 9),
      'a BMP as wide as a number can be': changed(18, 0x7fffffff),
      'a BMP as high as a number can be': changed(22, -0x80000000),
      'a BMP of no width': changed(18, 0),
      'a BMP of negative width': changed(18, -8),
      'a BMP of no height': changed(22, 0),
      'a BMP whose pixels are in its header': changed(10, 14),
      'a BMP whose pixels are beyond its end': changed(10, -1),
      'a short header': changed(14, 12),
      'a compressed BMP': changed(30, 1),
      'a BMP of 32 bits': changed(28, 32, 2),
      'two planes': changed(26, 2, 2),
      'a PNG': Buffer.from('89504e470d0a1a0a', 'hex'),
      'a cut JPEG': pictureOf('ash', 'card').subarray(0, 200),
      'a JPEG without anything': Buffer.from('ffd8ffd9', 'hex'),
      'a JPEG of noise': Buffer.concat([Buffer.from('ffd8', 'hex'), Buffer.alloc(4_000, 0x5a)]),
      'a JPEG of markers': Buffer.concat([Buffer.from('ffd8', 'hex'), Buffer.alloc(4_000, 0xff)]),
      'too many bytes': Buffer.concat([fine, Buffer.alloc(8_000_001)]),
    }
    for (const [name, bytes] of Object.entries(hostile)) assert.equal(read(bytes), undefined, name)
    // A JPEG that says it has 65,500 × 65,500 pixels.
    const huge = Buffer.from(pictureOf('ash', 'card'))
    const size = huge.indexOf(Buffer.from('ffc0', 'hex')) + 5
    huge.writeUInt16BE(65_500, size)
    huge.writeUInt16BE(65_500, size + 2)
    assert.equal(read(huge), undefined)
  })

  it('get a grey margin where a face fills them', () => {
    const { width, height, rgb } = withMargin({ width: 2, height: 1, rgb: Uint8Array.of(1, 2, 3, 4, 5, 6) }, 1)
    assert.deepEqual([width, height], [6, 3])
    assert.deepEqual([...rgb.subarray(18 + 6, 18 + 12)], [1, 2, 3, 4, 5, 6])
    assert.equal(rgb.filter((byte) => byte === 128).length, 6 * 3 * 3 - 6)
  })
})

describe('the decoder of card photos', () => {
  const newDirectory = temporaryDirectories()
  const photo = photoOf('ash')
  const program = (code: string, timeoutMs?: number) => photoDecoder([process.execPath, '-e', code], timeoutMs)
  const echo = 'process.stdin.pipe(process.stdout)'

  it('gets the 1,024 bytes and nothing else, and gives what it writes', async () => {
    assert.deepEqual(await program(echo)(photo, never), Uint8Array.from(photo))
    const decoder = join(import.meta.dirname, '../../../src/demo/fake-camera/decode-photo.ts')
    const picture = await photoDecoder([process.execPath, decoder])(photo, never)
    assert.deepEqual(picture, Uint8Array.from(pictureOf('ash', 'card')))
  })

  it('is run as it stands, never by a shell', async () => {
    const file = join(newDirectory(), 'made')
    assert.equal(await photoDecoder([`/bin/true; touch ${file}`])(photo, never), undefined)
    await photoDecoder(['/bin/echo', `$(touch ${file})`])(photo, never)
    assert.ok(!existsSync(file))
  })

  it('has failed where it says so, gives nothing, is not there, or does not listen', async () => {
    for (const code of [`${echo}; process.exitCode = 3`, '', 'process.kill(process.pid, "SIGKILL")'])
      assert.equal(await program(code)(photo, never), undefined, code)
    assert.equal(await photoDecoder(['/nonexistent/decoder'])(photo, never), undefined)
    assert.deepEqual(await photoDecoder(['/bin/echo', 'BM'])(photo, never), Uint8Array.from(Buffer.from('BM\n')))
  })

  it('is ended when it hangs, even by what it has started, when it floods, and when the citizen leaves', async () => {
    const file = join(newDirectory(), 'pid')
    const hang = `require('fs').writeFileSync('${file}', String(process.pid)); setInterval(() => {}, 1000)`
    assert.equal(await program(hang, 400)(photo, never), undefined)
    await pause(50)
    assert.throws(() => process.kill(Number(readFileSync(file, 'utf8')), 0), /ESRCH/)
    const started = `require('child_process').spawn('sleep', ['3'], { stdio: 'inherit', detached: true }).unref()`
    const before = Date.now()
    assert.equal(await program(`${started}; setInterval(() => {}, 1000)`, 300)(photo, never), undefined)
    assert.ok(Date.now() - before < 2_500)
    const flood =
      'const b = Buffer.alloc(65536); const w = () => { while (process.stdout.write(b)); }; process.stdout.on("drain", w); w()'
    assert.equal(await program(flood)(photo, never), undefined)
    const leaving = new AbortController()
    const left = program('setInterval(() => {}, 1000)')(photo, leaving.signal)
    leaving.abort()
    assert.equal(await left, undefined)
    assert.equal(await program(echo)(photo, AbortSignal.abort()), undefined)
  })
})

describe('the camera', () => {
  const jpeg = pictureOf('ash', 'front')

  it('gives one JPEG', async () => {
    const camera = await serve((_request, response) => response.end(jpeg))
    assert.deepEqual(await cameraAt(camera.url)(never), Uint8Array.from(jpeg))
    await camera.close()
    assert.equal(await cameraAt(camera.url)(never), undefined, 'it is gone')
  })

  it('gives nothing where it hangs, breaks off, is no JPEG, floods, fails, or leads elsewhere', async () => {
    let elsewhere = 0
    const camera = await serve(({ url }, response) => {
      const answers: Readonly<Record<string, () => unknown>> = {
        '/hangs': () => undefined,
        '/stalls': () => response.write(jpeg),
        '/breaks': () => response.writeHead(200, { 'content-length': '99999' }).write(jpeg, () => response.destroy()),
        '/png': () => response.end(Buffer.from('89504e470d0a1a0a', 'hex')),
        '/empty': () => response.end(),
        '/none': () => response.writeHead(204).end(),
        '/fails': () => response.writeHead(500).end(jpeg),
        '/floods': () => response.end(Buffer.concat([jpeg, Buffer.alloc(2_000_000)])),
        '/moved': () => response.writeHead(302, { location: '/other' }).end(),
        '/other': () => ((elsewhere += 1), response.end(jpeg)),
      }
      answers[url ?? '']?.()
    })
    for (const path of ['hangs', 'stalls', 'breaks', 'png', 'empty', 'none', 'fails', 'floods', 'moved'])
      assert.equal(await cameraAt(`${camera.url}/${path}`, 250)(never), undefined, path)
    assert.equal(elsewhere, 0)
    await camera.close()
  })

  it('gives nothing where the answer is shorter than it says, in pieces, or has no head', async () => {
    const answers = [
      `HTTP/1.0 200 OK\r\ncontent-length: ${jpeg.length + 1}\r\n\r\n`,
      `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n`,
      'HTTP/1.0 200 OK\r\n',
      'HTTP/1.0 404 Not Found\r\n\r\n',
      '',
    ]
    const camera = createServer((line) => void line.end(Buffer.concat([Buffer.from(answers[0] ?? ''), jpeg])))
    await once(camera.listen(0, '127.0.0.1'), 'listening')
    const take = cameraAt(`http://127.0.0.1:${(camera.address() as AddressInfo).port}/`)
    for (; answers.length > 0; answers.shift()) assert.equal(await take(never), undefined, answers[0])
    assert.equal(await take(AbortSignal.abort()), undefined)
    camera.close()
  })

  it('leaves no copy of a picture in memory once it is wiped', async function () {
    const mark = randomBytes(32)
    const camera = await serve((_request, response) => {
      const shown = Buffer.concat([Buffer.from('ffd8', 'hex'), Buffer.alloc(30_000)])
      for (let at = 1_000; at < 30_000; at += 1_000) mark.copy(shown, at)
      response.end(shown, () => void shown.fill(0))
    })
    for (let taken = 0; taken < 4; taken += 1) {
      const picture = (await cameraAt(camera.url)(never)) ?? assert.fail()
      assert.ok(Buffer.from(picture.buffer).includes(mark))
      picture.fill(0)
    }
    await camera.close()
    const times = timesInMemory(mark)
    if (times === undefined) return this.skip()
    assert.equal(times, 1, 'the mark itself, and no picture')
  })
})

describe('the feed of a comparison', () => {
  it('gives pictures asked for after a moment, as copies, and wipes each when the next is there', async () => {
    const taken: Uint8Array[] = []
    const shown: number[] = []
    let clock = 0
    const take: TakePicture = async () => {
      taken.push(Uint8Array.of(0xff, 0xd8, taken.length + 1))
      return taken.at(-1)
    }
    const feed = openFeed({
      take,
      everyMs: 5,
      now: () => (clock += 1),
      onPicture: ([, , which = 0]) => void shown.push(which),
    })
    const first = (await feed.after(0)) ?? assert.fail()
    const second = (await feed.after(first.at)) ?? assert.fail()
    assert.ok(second.at > first.at)
    assert.equal(first.bytes[2], 1, 'a copy outlives the next picture')
    await feed.close()
    assert.ok(taken.length >= 2 && taken.every(wiped))
    assert.deepEqual(shown.slice(0, 2), [1, 2])
    const count = taken.length
    await pause(30)
    assert.equal(taken.length, count, 'the camera is left alone')
  })

  it('says that a camera gives nothing in time, and ends while it is waited for', async () => {
    const broken = openFeed({ take: async () => undefined, everyMs: 5, patienceMs: 60 })
    assert.equal(await broken.after(0), undefined)
    await broken.close()
    const feed = openFeed({ take: async () => undefined, everyMs: 5 })
    const waiting = feed.after(0)
    await feed.close()
    assert.equal(await waiting, undefined)
  })

  it('wipes a picture that comes when it is over', async () => {
    let give = (_: Uint8Array) => {}
    const feed = openFeed({ take: () => new Promise((done) => (give = done)), everyMs: 5 })
    const late = Uint8Array.of(0xff, 0xd8, 7)
    const closing = feed.close()
    give(late)
    await closing
    assert.ok(wiped(late))
  })
})
