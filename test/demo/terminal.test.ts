/** The fake card reader and the terminal of the demo city: byte-exact frames, cards, hands, and the agent beside it. */
import { strict as assert } from 'node:assert'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { compactVerify, verifyCertificateChain } from 'jose'
import { castMember, populationFile, readPopulation } from '#src/demo/cast.ts'
import { createFakeCamera } from '#src/demo/fake-camera/camera.ts'
import {
  emptyPicture,
  otherThan,
  photoOf,
  pictureOf,
  portraitIn,
  portraitOf,
  portraits,
  shots,
  type Portrait,
} from '#src/demo/fake-camera/portraits.ts'
import { cardOf } from '#src/demo/fake-reader/cards.ts'
import { createDesk } from '#src/demo/fake-reader/desk.ts'
import { createFakeReader, fakePhoto, fakeSam, type FakeReader } from '#src/demo/fake-reader/sam.ts'
import { startTerminal, terminalCredentials, terminalFiles } from '#src/demo/terminal.ts'
import { decodeCardText } from '#src/identity/card-text.ts'
import { needsOpenssl, openssl } from '../support/openssl.ts'
import { temporaryDirectories } from '../support/temporary.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** GA/T 490 by the offsets of facts/verifiers.md §2.2: another hand than the one that writes the demo's cards. */
function textBlock(fields: readonly (readonly [offset: number, text: string])[]): Buffer {
  const block = Buffer.alloc(256, hex('2000'))
  for (const [offset, text] of fields) block.write(text, offset, 'utf16le')
  return block
}

describe('the fake card reader', () => {
  let fake: FakeReader
  let said: Buffer[]
  let line: (bytes: Buffer) => void

  beforeEach(() => {
    fake = createFakeReader()
    said = []
    line = fake.line((bytes) => said.push(bytes))
  })
  const ask = (frame: string) => {
    said.length = 0
    line(hex(frame))
    return Buffer.concat(said).toString('hex')
  }
  const [find, select, read] = ['AAAAAA96690003200122', 'AAAAAA96690003200221', 'AAAAAA96690003300132'] as const
  const [none, ready] = ['aaaaaa966900040000' + '8084', 'aaaaaa96690004000041' + '45'] as const

  it('answers in the very bytes of the standard', () => {
    const text = Buffer.alloc(256, 'T')
    assert.equal(ask('AAAAAA9669000310FFEC'), 'aaaaaa9669000400009094', 'reset')
    assert.equal(ask('AAAAAA9669000311FFED'), 'aaaaaa9669000400009094', 'status')
    assert.equal(ask('AAAAAA9669000312FFEE').length, 2 * (5 + 2 + 3 + 16 + 1), 'SAMID')
    assert.equal(ask(find), none)
    assert.equal(ask(select), 'aaaaaa9669000400008185')
    assert.equal(ask(read), ready)
    fake.place({ text })
    assert.equal(ask(find), 'aaaaaa9669000800009f0000000097')
    assert.match(ask(select), /^aaaaaa9669000c000090/)
    const whole = hex(ask(read))
    assert.equal(whole.length, 1295)
    assert.deepEqual(whole.subarray(0, 14), hex('AAAAAA9669 0508 000090 0100 0400'))
    assert.deepEqual(whole.subarray(14, 270), text)
    assert.deepEqual(whole.subarray(270, 1294), fakePhoto)
    assert.equal(
      whole.subarray(5).reduce((sum, byte) => sum ^ byte),
      0,
    )
    assert.equal(ask(find), none, 'a card that was read answers no search')
    assert.equal(hex(ask('AAAAAA96690003300330')).length, 280 + 11, 'more addresses')
    assert.equal(hex(ask('AAAAAA96690003300536')).length, 28 + 11, 'management number')
    fake.lift()
    assert.equal(ask('AAAAAA96690003300536'), ready)
    fake.place({ text })
    ask(find)
    ask(select)
    assert.equal(hex(ask('AAAAAA96690003301023')).length, 2321, 'with fingerprints')
  })

  it('names wrong checksums, lengths and commands, and takes what is cut and joined', () => {
    assert.equal(ask('AAAAAA96690003200123'), 'aaaaaa9669000400001014')
    assert.equal(ask('AAAAAA9669000420010025'), 'aaaaaa9669000400001115')
    assert.equal(ask('AAAAAA96690003770074'), 'aaaaaa9669000400002125')
    said.length = 0
    for (const byte of hex(`0102${find}AAAA${find}`)) line(Buffer.of(byte))
    assert.equal(Buffer.concat(said).toString('hex'), none + none)
  })

  it('spoils as many checksums as it is told to, and says nothing when it is silent', () => {
    Object.assign(fake.behaviour, { spoil: 0x11, spoilt: 2 })
    assert.equal(ask(find), 'aaaaaa966900040000' + '8095')
    ask(find)
    assert.equal(ask(find), none)
    fake.behaviour.silent = true
    assert.equal(ask(find), '')
  })

  it('holds the cards of the cast, by the offsets of the standard', async () => {
    const population = await readPopulation()
    const { text } = cardOf(castMember(population, 'yan'))
    const { ok, card } = decodeCardText(text) as Extract<ReturnType<typeof decodeCardText>, { ok: true }>
    assert.ok(ok)
    const fields: (readonly [number, string])[] = [
      ...([
        [0, '刘䶮'],
        [30, '1'],
        [32, '01'],
        [36, '19920305'],
        [52, '示例市示例区演示路1号'],
      ] as const),
      ...([
        [122, '690101199203051010'],
        [158, '示例市公安局'],
      ] as const),
      [188, card.validFrom.replaceAll('-', '')],
      [204, card.validUntil.replaceAll('-', '')],
    ]
    assert.deepEqual(text, textBlock(fields))
    const today = new Date().toISOString().slice(0, 10)
    for (const person of population.people) {
      const validity = (condition: 'valid' | 'expired' | 'not-yet-valid') => {
        const reading = decodeCardText(cardOf(person, condition).text)
        assert.ok(reading.ok, person.key)
        assert.deepEqual([reading.card.kind, reading.card.number], [person.kind, person.number])
        assert.equal(reading.card.latinName ?? reading.card.name, person.name)
        return [reading.card.validFrom <= today, today <= reading.card.validUntil]
      }
      assert.deepEqual(validity('valid'), [true, true])
      assert.deepEqual(validity('expired'), [true, false])
      assert.deepEqual(validity('not-yet-valid'), [false, true])
    }
  })

  describe('by its hands', () => {
    let server: Server
    let url: string
    const desked = createFakeReader()

    before(async () => {
      server = createServer(express().use('/card-reader', createDesk(desked, populationFile))).listen(0)
      await once(server, 'listening')
      url = `http://localhost:${(server.address() as AddressInfo).port}/card-reader/`
    })
    after(() => void server.close())
    const post = async (path: string, fields: Record<string, string> = {}) => {
      const answered = await fetch(new URL(path, url), { method: 'POST', body: new URLSearchParams(fields) })
      assert.equal(answered.url, url)
      return answered.text()
    }

    it('has a camera before which the holder of the card, somebody else or nobody stands', async () => {
      const picture = async () => {
        const answered = await fetch(new URL('camera', url))
        assert.equal(answered.headers.get('content-type'), 'image/jpeg')
        return Buffer.from(await answered.arrayBuffer())
      }
      const shows = async (...of: readonly Portrait[]) => {
        const shown = await picture()
        return of.some((portrait) => shots.some((shot) => shown.equals(pictureOf(portrait, shot))))
      }
      assert.deepEqual(await picture(), emptyPicture(), 'nobody has put a card down')
      await post('place', { person: 'yan' })
      const own = portraitOf('yan')
      assert.equal(desked.card?.photo && portraitIn(desked.card.photo), own)
      assert.ok(await shows(own))
      assert.match(
        await post('scene', { scene: 'other' }),
        /镜头前 Before the camera：别人[^]*value="other" selected/,
        'what is so is what stands there to be chosen',
      )
      assert.ok(await shows(otherThan(own)))
      await post('scene', { scene: 'still' })
      assert.deepEqual(await picture(), pictureOf(own, 'front'))
      await post('scene', { scene: 'nobody' })
      assert.deepEqual(await picture(), emptyPicture())
      await post('scene', { scene: 'broken' })
      assert.equal((await fetch(new URL('camera', url))).status, 503)
      await post('scene', { scene: 'constructor' })
      assert.ok(await shows(own))
      await post('lift')
      assert.ok(await shows(own), 'who has taken his card away still stands there')
    })

    it('gets a card of the cast, loses it, and is troubled', async () => {
      assert.match(await post('place', { person: 'yan', condition: 'damaged' }), /读卡器上：刘䶮（读不出）/)
      assert.equal(desked.card?.damaged, true)
      assert.match(await post('lift'), /读卡器上没有卡/)
      assert.equal(desked.card, undefined)
      await post('trouble', { trouble: 'checksum' })
      assert.equal(desked.behaviour.spoilt, 255)
      await post('trouble', { trouble: 'constructor' })
      assert.equal(desked.behaviour.spoilt, 0)
    })
  })
})

describe('the fake camera', () => {
  it('shows every pose, each for a second, and the cast has photos that are told apart', () => {
    let now = 0
    const camera = createFakeCamera(
      () => 'maple',
      () => now,
    )
    const seen = [0, 999, 1_000, 2_000, 3_000, 4_000].map((at) => {
      now = at
      return shots.find((shot) => camera.picture().equals(pictureOf('maple', shot)))
    })
    assert.deepEqual(seen, ['front', 'front', 'left', 'right', 'mouth', 'front'])
    for (const portrait of portraits) {
      assert.equal(photoOf(portrait).length, 1024)
      assert.equal(portraitIn(photoOf(portrait)), portrait)
      assert.notEqual(otherThan(portrait), portrait)
    }
    assert.equal(portraitIn(fakePhoto), undefined)
  })
})

describe('the terminal of the demo city', () => {
  const newDirectory = temporaryDirectories()

  it('has a device certificate that openssl follows to its root, a key for its owner alone, and its row', async function () {
    needsOpenssl(this)
    const directory = newDirectory()
    await terminalCredentials(directory)
    const { root, key, certificate, rows } = terminalFiles(directory)
    assert.equal(statSync(key).mode & 0o777, 0o600)
    const check = ['verify', '-x509_strict', '-vfyopt', 'distid:1234567812345678', '-CAfile', root]
    assert.match(openssl(...check, certificate), /OK/)
    assert.match(openssl('pkey', '-in', key, '-noout', '-text'), /SM2/)
    const row = JSON.parse(readFileSync(join(rows, 'demo-terminal.json'), 'utf8')) as Record<string, unknown>
    const print = openssl('x509', '-in', certificate, '-noout', '-fingerprint', '-sm3')
    const digest = print.trim().split('=')[1]?.replaceAll(':', '').toLowerCase()
    assert.deepEqual([row['id'], row['sam'], row['certificate']], ['demo-terminal', fakeSam, `sm3:${digest}`])
    const before = readFileSync(certificate, 'utf8')
    await terminalCredentials(directory)
    assert.equal(readFileSync(certificate, 'utf8'), before, 'it is made once')
  })

  it('reads a card of the cast without hardware', async () => {
    const directory = newDirectory()
    await terminalCredentials(directory)
    const reader = createFakeReader()
    const issuer = 'http://localhost:3999'
    const services = [{ name: { zh: '社保查询', en: 'Social insurance' }, url: 'http://localhost:3998' }]
    const camera = 'http://localhost:3997/camera'
    const terminal = await startTerminal({ directory, issuer, port: 0, services, reader, camera })
    const settings = JSON.parse(readFileSync(terminalFiles(directory).settings, 'utf8')) as {
      face?: { camera: string }
    }
    assert.equal(settings.face?.camera, camera, 'it compares faces')
    try {
      reader.place(cardOf(castMember(await readPopulation(), 'maria')))
      const body = JSON.stringify({ nonce: 'n0nce-of-the-server-0123456789', attempt: 'a1' })
      const ask = () =>
        fetch(`${terminal.url}/reading`, {
          ...{ method: 'POST', body },
          headers: { origin: issuer, 'content-type': 'application/json' },
        })
      let answered = await ask()
      // The agent may not have found its reader yet.
      for (let tried = 0; answered.status === 409 && tried < 50; tried += 1) answered = await ask()
      const { reading } = (await answered.json()) as { reading: string }
      const roots = [readFileSync(terminalFiles(directory).root, 'utf8')]
      const { payload } = await compactVerify(reading, ({ x5c }) => verifyCertificateChain(x5c, { roots }), {
        algorithms: ['SGD_SM3_SM2'],
      })
      const { text } = JSON.parse(Buffer.from(payload).toString()) as { text: string }
      const read = decodeCardText(Buffer.from(text, 'base64url'))
      assert.ok(read.ok && read.card.latinName === 'MARIA GARCIA LOPEZ')
      assert.match(await (await fetch(terminal.url)).text(), /社保查询/)
    } finally {
      await terminal.close()
    }
    await assert.rejects(fetch(terminal.url))
    assert.ok(existsSync(terminalFiles(directory).settings))
  })
})
