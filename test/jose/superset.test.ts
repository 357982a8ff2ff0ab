import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as jose from 'jose'
import * as upstream from 'jose-upstream'
import gm from '../support/gm.json' with { type: 'json' }

const room = new URL('../../src/jose/', import.meta.url)
const own = JSON.parse(readFileSync(new URL('package.json', room), 'utf8')) as {
  version: string
  exports: Record<string, string>
}

const theirs = new URL('../../node_modules/jose-upstream/', import.meta.url)

/** What a pattern of upstream's exports stands for: `./jwk/*` → `jwk/embedded`, … */
function all(pattern: string, target: string): string[] {
  const folder = new URL(target.slice(0, target.indexOf('*')), theirs)
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.js'))
    .map((file) => pattern.slice(2).replace('*', file.replace(/\.js$/, '')))
}

describe('The package jose with SM', () => {
  it('exports everything upstream exports, and what it does not override is the same', () => {
    const overridden = Object.keys(upstream).filter(
      (name) => jose[name as keyof typeof jose] !== upstream[name as keyof typeof upstream],
    )
    assert.deepEqual(
      Object.keys(upstream).filter((name) => !(name in jose)),
      [],
    )
    assert.equal(jose.errors, upstream.errors)
    assert.ok(
      overridden.includes('jwtVerify') && overridden.includes('jwtDecrypt') && !overridden.includes('decodeJwt'),
    )
  })

  it('answers at every subpath of upstream, with what upstream has there', async () => {
    const manifest = JSON.parse(readFileSync(new URL('package.json', theirs), 'utf8')) as {
      version: string
      exports: Record<string, { default: string }>
    }
    assert.equal(own.version, manifest.version)
    const paths = Object.entries(manifest.exports).flatMap(([path, target]) =>
      path === '.' || path === './package.json' ? [] : path.endsWith('*') ? all(path, target.default) : [path.slice(2)],
    )
    assert.ok(paths.includes('jws/general/verify') && paths.includes('key/generate/secret') && paths.length > 25)
    for (const sample of paths) {
      const [here, there] = (await Promise.all([
        import(`jose/${sample}`),
        import(`jose-upstream/${sample}`),
      ])) as object[]
      for (const name of Object.keys(there as object)) assert.ok(name in (here as object), `${sample}: ${name}`)
    }
  })

  it('is what the engine and the client library load', async () => {
    for (const name of ['oidc-provider', 'openid-client']) assert.ok(await import(name))
    assert.equal(import.meta.resolve('jose'), new URL('index.ts', room).href)
  })

  it('imports nothing but Node, upstream and sm-crypto', () => {
    for (const file of readdirSync(room).filter((name) => name.endsWith('.ts'))) {
      const source = readFileSync(new URL(file, room), 'utf8')
      for (const [, from] of source.matchAll(/^(?:import|export)[^;]*? from '([^']+)'/gm))
        assert.match(from as string, /^(\.\/[\w-]+\.ts|node:\w+|jose-upstream(\/\w+)?|sm-crypto)$/, file)
    }
  })

  for (const alg of ['ES256', 'RS256', 'PS256', 'EdDSA', 'HS256'])
    it(`leaves ${alg} to upstream: each verifies what the other signs`, async () => {
      const { privateKey, publicKey } =
        alg === 'HS256'
          ? { privateKey: new Uint8Array(32).fill(7), publicKey: new Uint8Array(32).fill(7) }
          : await jose.generateKeyPair(alg)
      for (const [from, to] of [
        [jose, upstream],
        [upstream, jose],
      ] as const) {
        const jwt = await new from.SignJWT({ a: 1 }).setProtectedHeader({ alg }).sign(privateKey)
        assert.equal((await to.jwtVerify(jwt, publicKey, { algorithms: [alg] })).payload.a, 1)
        const jws = await new from.CompactSign(Buffer.from('x')).setProtectedHeader({ alg }).sign(privateKey)
        assert.deepEqual(await to.compactVerify(jws, publicKey), {
          payload: new Uint8Array([120]),
          protectedHeader: { alg },
        })
        const flat = await new from.FlattenedSign(Buffer.from('x')).setProtectedHeader({ alg }).sign(privateKey)
        assert.deepEqual((await to.flattenedVerify(flat, async () => publicKey)).payload, new Uint8Array([120]))
      }
    })

  it('says of nonsense what upstream says', async () => {
    for (const token of ['', '.', '..', 'a.b.c', 'e30.e30.', 1, null, {}, new Uint8Array(3)] as never[]) {
      const said = async (verify: typeof jose.jwtVerify): Promise<string> =>
        verify(token, new Uint8Array(32)).then(
          () => 'ok',
          (error: unknown) => String(error),
        )
      assert.equal(await said(jose.jwtVerify), await said(upstream.jwtVerify))
      assert.notEqual(await said(jose.jwtVerify), 'ok')
    }
  })

  it('works the same in a runtime without SM2, SM3 and SM4', async function () {
    this.timeout(20_000)
    const script = `
      import crypto from 'node:crypto'
      import { syncBuiltinESMExports } from 'node:module'
      const absent = () => { throw new Error('unsupported') }
      const hashes = crypto.getHashes().filter((name) => !/sm3/i.test(name))
      const ciphers = crypto.getCiphers().filter((name) => !/sm4/i.test(name))
      Object.assign(crypto, { createECDH: absent, createSign: absent, createVerify: absent, hash: absent })
      Object.assign(crypto, { createHmac: absent, getHashes: () => hashes, getCiphers: () => ciphers })
      Object.assign(crypto, { createPrivateKey: absent })
      syncBuiltinESMExports()
      const { compactDecrypt, CompactEncrypt, exportJWK, generateKeyPair, generateSecret } = await import('jose')
      const { hmacSm3, jwtVerify, selfTest, SGD_SM2_3, SGD_SM3_SM2: alg, SGD_SM4_GCM, SignJWT } = await import('jose')
      const { payload } = await jwtVerify(${JSON.stringify(gm.jws.compact)}, ${JSON.stringify(gm.jws.jwk)})
      const { privateKey, publicKey } = await generateKeyPair(alg)
      const jwt = await new SignJWT({ sub: 'fallback' }).setProtectedHeader({ alg }).sign(privateKey)
      const own = await jwtVerify(jwt, publicKey)
      const secret = await generateSecret('SGD_SM3_HMAC')
      const maced = await new SignJWT({ sub: 'fallback' }).setProtectedHeader({ alg: 'SGD_SM3_HMAC' }).sign(secret)
      const k = Buffer.from(secret).toString('base64url')
      const mac = hmacSm3('Jefe', 'what do ya want for nothing?').toString('hex')
      const pair = await generateKeyPair(SGD_SM2_3, { extractable: true })
      const header = { alg: SGD_SM2_3, enc: SGD_SM4_GCM }
      const jwe = await new CompactEncrypt(Buffer.from('sealed')).setProtectedHeader(header).encrypt(pair.publicKey)
      const opened = Buffer.from((await compactDecrypt(jwe, pair.privateKey)).plaintext).toString()
      const keys = { jwk: await exportJWK(publicKey), k, decrypter: await exportJWK(pair.privateKey) }
      console.log(JSON.stringify({ engines: selfTest(), payload, own: own.payload, mac, opened, jwt, maced, jwe, keys }))
    `
    const cwd = fileURLToPath(new URL('../../', import.meta.url))
    const output = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { cwd, stdio: 'pipe' })
    const { jwt, maced, jwe, keys, ...said } = JSON.parse(output.toString()) as Record<string, string> & {
      keys: { jwk: jose.JWK; k: string; decrypter: jose.JWK }
    }
    assert.deepEqual(said, {
      opened: 'sealed',
      engines: { sm2: 'sm-crypto', sm3: 'sm-crypto', sm2Encryption: 'bigint', sm4Gcm: 'sm-crypto' },
      payload: { iss: 'https://id.example.gov.cn', sub: 'test' },
      own: { sub: 'fallback' },
      mac: gm.hmacSm3[1]?.mac,
    })
    const { jwk, k, decrypter } = keys
    assert.equal((await jose.jwtVerify(jwt ?? '', jwk)).payload.sub, 'fallback')
    assert.equal((await jose.jwtVerify(maced ?? '', { kty: 'oct', k })).payload.sub, 'fallback')
    assert.equal(Buffer.from((await jose.compactDecrypt(jwe ?? '', decrypter)).plaintext).toString(), 'sealed')
  })
})
