/** Certificates of synthetic parties, made by the openssl command: another hand than the one that reads them. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openssl } from './openssl.ts'

export interface Party {
  readonly key: string
  readonly file: string
  readonly pem: string
  /** As an `x5c` names it. */
  readonly text: string
}

export interface Request {
  readonly by?: Party
  readonly kind?: 'sm2' | 'ec' | 'rsa' | 'rsa1024' | 'secp256k1'
  readonly days?: number
  readonly name?: string
  readonly hash?: string
  /** In the words of openssl's x509v3_config. */
  readonly extensions?: readonly string[]
}

export const CA = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign']
export const SIGNER = ['basicConstraints=CA:FALSE', 'keyUsage=critical,digitalSignature']

const keyOptions = {
  sm2: ['EC', 'ec_paramgen_curve:SM2'],
  ec: ['EC', 'ec_paramgen_curve:P-384'],
  secp256k1: ['EC', 'ec_paramgen_curve:secp256k1'],
  rsa: ['RSA', 'rsa_keygen_bits:2048'],
  rsa1024: ['RSA', 'rsa_keygen_bits:1024'],
}

/** @returns an issuer of certificates, self-signed unless `by` is given, with its files in this directory */
export function certificates(directory: string): (request: Request) => Party {
  const config = join(directory, 'openssl.cnf')
  writeFileSync(config, '[req]\ndistinguished_name = none\n[none]\n')
  let count = 0
  return ({ by, kind = 'sm2', days = 365, name, hash, extensions = CA }) => {
    const at = join(directory, `${(count += 1)}`)
    const [key, file] = [`${at}.key`, `${at}.pem`]
    const [algorithm, option] = keyOptions[kind] as [string, string]
    openssl('genpkey', '-algorithm', algorithm, '-pkeyopt', option, '-out', key)
    const signingKey = by?.key ?? key
    const sm2 = openssl('pkey', '-in', signingKey, '-noout', '-text').includes('SM2')
    const signing = sm2 ? ['-sm3', '-sigopt', 'distid:1234567812345678'] : [`-${hash ?? 'sha256'}`]
    const issuer = by ? ['-CA', by.file, '-CAkey', by.key] : []
    const added = extensions.flatMap((extension) => ['-addext', extension])
    const subject = ['-subj', `/C=XX/CN=${name ?? `party ${count}`}`, '-days', `${days}`]
    openssl(
      'req',
      '-x509',
      '-new',
      '-config',
      config,
      '-key',
      key,
      '-out',
      file,
      ...signing,
      ...subject,
      ...issuer,
      ...added,
    )
    const pem = openssl('x509', '-in', file)
    const text = pem.replace(/-----[A-Z ]+-----|\s/g, '')
    return { key, file, pem, text }
  }
}
