import { strict as assert } from 'node:assert'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, sm3 } from 'jose'
import { runApps } from '#src/cli/apps.ts'
import { startServer } from '../support/app.ts'
import { openBrowser } from '../support/browser.ts'
import { relyingParty } from '../support/relying-party.ts'

describe('npm run apps', () => {
  let directory: string
  let printed: string[]

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'yihao-apps-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  const run = (...args: string[]): Promise<number> => {
    printed = []
    const line = (text: string) => void printed.push(text)
    return runApps(args, { env: { YIHAO_APPLICATIONS: directory }, out: line, err: line })
  }
  const said = () => printed.join('\n')

  const addition = (...more: string[]) => [
    'add',
    'housing-fund',
    ...['--name', '公积金', '--name-en', 'Housing fund', '--owner', '公积金中心', '--owner-en', 'Fund centre'],
    ...['--sector', 'gjj.example.gov.cn', '--redirect', 'https://gjj.example.gov.cn/cb', ...more],
  ]

  it('adds an application, shows its secret once and keeps only the SM3', async () => {
    assert.equal(await run(...addition()), 0)
    const secret = /secret (\S{43})/.exec(said())?.[1] ?? ''
    const file = readFileSync(join(directory, 'housing-fund.json'), 'utf8')
    assert.ok(!file.includes(secret))
    assert.ok(file.includes(sm3(secret).toString('hex')))
    assert.equal(await run('check'), 0)
    assert.equal(await run('list'), 0)
    assert.match(said(), /housing-fund\tstandard\tSGD_SM3_SM2\tL2\tin service/)
  })

  it('overwrites nothing, and refuses what an application may not be', async () => {
    await run(...addition())
    assert.equal(await run(...addition()), 2)
    assert.match(said(), /there already/)
    rmSync(join(directory, 'housing-fund.json'))
    for (const [more, fault] of [
      [['--redirect', 'http://gjj.example.gov.cn/cb'], /must be https/],
      [['--redirect', 'javascript:alert(1)'], /must be an address/],
      [['--profile', 'high'], /takes keys \(jwks, jwksFile or jwksUri\)/],
      [['--algorithm', 'ES256'], /say why no SM algorithm/],
      [['--level', '3'], /needs the profile high/],
      [['--sector', 'Not A Sector'], /host-like/],
      [['--jwks', '/nonexistent/keys'], /nonexistent.* cannot be read/],
      [['--jwks', 'package.json'], /package\.json holds no JWK set/],
      [['--jwks', 'package.json', '--jwks-uri', 'https://gjj.example.gov.cn/keys'], /one of --jwks and --jwks-uri/],
      [['--profile', 'legacy'], /say when it will have changed/],
    ] as const) {
      assert.equal(await run(...addition(...more)), 2, more.join(' '))
      assert.match(said(), fault)
    }
    assert.equal(await run('add', '../evil'), 2)
    assert.equal(await run('nonsense'), 2)
  })

  it('says every fault of every file', async () => {
    await run(...addition())
    writeFileSync(join(directory, 'broken.json'), '{')
    writeFileSync(join(directory, 'strange.json'), '{"id":"strange","colour":"red"}')
    assert.equal(await run('check'), 1)
    assert.match(said(), /right.*housing-fund/)
    assert.match(said(), /FAULTY.*broken\.json/)
    assert.match(said(), /FAULTY.*strange\.json[^]*colour/)
  })

  it('says what a file cannot know of itself, and that no key takes what is to be encrypted', async () => {
    await run(...addition())
    const right = JSON.parse(readFileSync(join(directory, 'housing-fund.json'), 'utf8')) as object
    const file = (name: string, change: object) =>
      writeFileSync(join(directory, `${name}.json`), JSON.stringify({ ...right, id: name, ...change }))
    const key = async (use: string) => ({ ...(await exportJWK((await generateKeyPair('SGD_SM3_SM2')).publicKey)), use })
    const encryption = { alg: 'SGD_SM2_3', enc: 'SGD_SM4_GCM', of: ['userinfo'] }
    const keyed = (...keys: object[]) => ({ profile: 'high', encryption, credential: { jwks: { keys } } })
    file('moved', { id: 'tax' })
    file('hotline', { channel: 'phone' })
    file('deaf', keyed(await key('sig')))
    file('hearing', keyed(await key('sig'), await key('enc')))
    file('nothing', { credential: { secret: 'x' }, grants: [{ claim: 'name', basis: 'duty' }] })
    assert.equal(await run('check'), 1)
    assert.match(said(), /FAULTY.*moved\.json[^]*id: is tax, so the file must be \S+tax\.json/)
    assert.match(said(), /FAULTY.*hotline\.json[^]*channel: the settings have none named phone/)
    assert.match(said(), /FAULTY.*deaf\.json[^]*encryption\.alg: none of its keys is one for SGD_SM2_3/)
    assert.match(said(), /right.*hearing\.json/)
    assert.match(said(), /nothing\.json[^]*credential: has none of its forms[^]*grants\.0\.purpose: is missing/)
  })

  it('suspends and resumes an application while the server runs', async () => {
    await run(...addition())
    const file = join(directory, 'housing-fund.json')
    const app = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
    writeFileSync(
      file,
      JSON.stringify({ ...app, id: 'first', demo: true, redirectUris: ['http://localhost:4001/callback'] }),
    )
    cpSync(file, join(directory, 'first.json'))
    rmSync(file)
    const server = await startServer({
      applications: null,
      settings: (config) => void (config['applications'] = directory),
    })
    const ask = async () => {
      server.clock.advance(10_000)
      return (await openBrowser(server.url).get(relyingParty(server.url, 'first').request({ scope: 'openid' }).path))
        .status
    }
    const becomes = async (status: number) => {
      for (let tries = 0; (await ask()) !== status; tries += 1) {
        assert.ok(tries < 60, `it never became ${status}`)
        await new Promise((done) => setTimeout(done, 100))
      }
    }
    try {
      assert.equal(await ask(), 200)
      await run('suspend', 'first')
      await becomes(400)
      await run('resume', 'first')
      await becomes(200)
      writeFileSync(join(directory, 'broken.json'), '{')
      await new Promise((done) => setTimeout(done, 2500))
      assert.equal(await ask(), 200, 'a faulty file took the others down')
      assert.ok(server.logged.some((line) => line.includes('broken.json')))
    } finally {
      await server.close()
    }
  })
})
