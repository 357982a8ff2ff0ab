/** The package as npm carries it, in a project that has nothing of ours but its tarball. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import gm from '../support/gm.json' with { type: 'json' }
import { temporaryDirectories } from '../support/temporary.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

const program = `
import { EncryptJWT, errors, exportJWK, generateKeyPair, generateSecret, importJWK } from 'jose'
import { jwtDecrypt, jwtVerify, selfTest, SignJWT } from 'jose'
import { JWSSignatureVerificationFailed } from 'jose/errors'
import { compactVerify } from 'jose/jws/compact/verify'

const [token, jwk] = [${JSON.stringify(gm.jws.compact)}, ${JSON.stringify(gm.jws.jwk)}]
const { payload } = await jwtVerify(token, jwk, { algorithms: ['SGD_SM3_SM2'] })
const refused = await compactVerify(token.replace('.ey', '.ez'), jwk).catch((error) => error)
const pair = await generateKeyPair('SGD_SM3_SM2')
const own = await new SignJWT({ sub: 'own' }).setProtectedHeader({ alg: 'SGD_SM3_SM2' }).sign(pair.privateKey)
const secret = await generateSecret('SGD_SM3_HMAC')
const decrypter = await generateKeyPair('SGD_SM2_3')
const header = { alg: 'SGD_SM2_3', enc: 'SGD_SM4_GCM' }
const jwe = await new EncryptJWT({ sub: 'sealed' }).setProtectedHeader(header).encrypt(decrypter.publicKey)
const mac = await new SignJWT({ sub: 'mac' }).setProtectedHeader({ alg: 'SGD_SM3_HMAC' }).sign(secret)
console.log(
  JSON.stringify({
    payload,
    refused: refused instanceof JWSSignatureVerificationFailed && errors.JOSEError.prototype.isPrototypeOf(refused),
    own: (await jwtVerify(own, await importJWK(await exportJWK(pair.publicKey), 'SGD_SM3_SM2'))).payload,
    mac: (await jwtVerify(mac, secret)).payload,
    opened: (await jwtDecrypt(jwe, decrypter.privateKey)).payload,
    engines: Object.keys(selfTest()),
  }),
)
`

const typed = `
import { jwtVerify, verifyCertificateChain, type JWTVerifyOptions, type Sm2Key } from 'jose'
import { errors } from 'jose'
export const options: JWTVerifyOptions = { algorithms: ['SGD_SM3_SM2'], sm2Signature: 'der' }
export const verified = (token: string, key: Sm2Key) => jwtVerify<{ sub: string }>(token, key, options)
export const chain = verifyCertificateChain([], { roots: [] })
export const wrong: number = new errors.JWSInvalid('').code
`

describe('The package jose, packed and installed elsewhere', function () {
  this.timeout(120_000)
  const directory = temporaryDirectories()
  let project: string
  before(() => {
    const folder = directory()
    const [built, tarballs] = [join(folder, 'built'), join(folder, 'tarballs')]
    project = join(folder, 'project')
    for (const made of [tarballs, project]) mkdirSync(made)
    execFileSync(process.execPath, ['src/jose/build.ts', built], { cwd: root, stdio: 'pipe' })
    npm(folder, 'pack', built, '--pack-destination', tarballs)
    const [tarball] = readdirSync(tarballs)
    // What it depends on comes from here and not from the network.
    const ours = Object.fromEntries(
      ['jose-upstream', 'sm-crypto'].map((name) => [name, `file:${root}node_modules/${name}`]),
    )
    const dependencies = { jose: `file:${join(tarballs, tarball as string)}`, ...ours }
    const overrides = Object.fromEntries(Object.keys(ours).map((name) => [name, `$${name}`]))
    writeFileSync(
      join(project, 'package.json'),
      JSON.stringify({ name: 'application', type: 'module', dependencies, overrides }),
    )
    npm(project, 'install', '--offline', '--no-audit', '--no-fund', '--ignore-scripts', '--no-package-lock')
  })

  it('holds JavaScript and declarations, and none of our TypeScript', () => {
    const files = readdirSync(join(project, 'node_modules/jose'))
    assert.deepEqual(
      files.filter((name) => !/\.(js|d\.ts)$/.test(name)),
      ['README.md', 'package.json'],
    )
    assert.ok(files.includes('index.js') && files.includes('index.d.ts'))
  })

  it('verifies and signs in plain JavaScript', () => {
    writeFileSync(join(project, 'program.js'), program)
    const said = execFileSync(process.execPath, ['program.js'], { cwd: project, encoding: 'utf8', stdio: 'pipe' })
    assert.deepEqual(JSON.parse(said), {
      payload: { iss: 'https://id.example.gov.cn', sub: 'test' },
      refused: true,
      own: { sub: 'own' },
      mac: { sub: 'mac' },
      opened: { sub: 'sealed' },
      engines: ['sm2', 'sm3', 'sm2Encryption', 'sm4Gcm'],
    })
  })

  it('is typed for TypeScript: the SM options are known, and a mistake is found', () => {
    writeFileSync(join(project, 'typed.ts'), typed)
    const options = ['--module', 'nodenext', '--target', 'es2022', '--strict', '--noEmit', '--types', 'node']
    const roots = ['--typeRoots', join(root, 'node_modules/@types')]
    const check = () =>
      execFileSync(join(root, 'node_modules/.bin/tsc'), [...options, ...roots, 'typed.ts'], {
        cwd: project,
        encoding: 'utf8',
        stdio: 'pipe',
      })
    assert.throws(check, (error) => {
      const said = (error as { stdout: string }).stdout
      assert.deepEqual(said.match(/TS\d+/g), ['TS2322'], said)
      return said.startsWith('typed.ts(7,14)')
    })
  })

  function npm(cwd: string, ...args: readonly string[]): void {
    execFileSync('npm', args, { cwd, stdio: 'pipe' })
  }
})
