/**
 * Certificates of synthetic card terminals with dates of the test's choice, made by `openssl ca`: another hand than the
 * one that reads them.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openssl } from './openssl.ts'

export interface DeviceCertificate {
  readonly name: string
  /** Files. */
  readonly key: string
  readonly file: string
  readonly pem: string
  readonly der: Buffer
}

interface Request {
  readonly name: string
  readonly by?: DeviceCertificate
  readonly from?: string
  readonly until?: string
  readonly authority?: boolean
  readonly curve?: 'SM2' | 'P-256'
}

const distid = 'distid:1234567812345678'

const config = (directory: string) => `
[ca]
default_ca = own
[own]
database = ${directory}/index
new_certs_dir = ${directory}
rand_serial = yes
unique_subject = no
policy = any
[any]
commonName = supplied
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
[device]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
[req]
distinguished_name = none
[none]
`

/** @returns an issuer of certificates, self-signed unless `by` is given, with its files in this directory */
export function deviceCertificates(directory: string): (request: Request) => DeviceCertificate {
  mkdirSync(directory, { recursive: true })
  const settings = join(directory, 'openssl.cnf')
  writeFileSync(settings, config(directory))
  writeFileSync(join(directory, 'index'), '')
  return ({ name, by, from = '20200101000000Z', until = '21200101000000Z', authority = false, curve = 'SM2' }) => {
    const [key, request, file] = ['key', 'csr', 'pem'].map((kind) => join(directory, `${name}.${kind}`)) as [
      string,
      string,
      string,
    ]
    const sm = curve === 'SM2'
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', `ec_paramgen_curve:${curve}`, '-out', key)
    const asking = sm ? ['-sm3', '-sigopt', distid] : ['-sha256']
    openssl('req', '-new', '-config', settings, '-key', key, '-out', request, ...asking, '-subj', `/CN=${name}`)
    const issuer = by ? ['-cert', by.file, '-keyfile', by.key] : ['-selfsign', '-keyfile', key]
    const dates = ['-startdate', from, '-enddate', until]
    const signing = ['-md', 'sm3', '-sigopt', distid, ...(sm ? ['-vfyopt', distid] : [])]
    const extensions = ['-extensions', authority ? 'authority' : 'device']
    openssl(
      ...['ca', '-batch', '-notext', '-config', settings, '-in', request, '-out', file],
      ...[...issuer, ...dates, ...signing, ...extensions],
    )
    const pem = readFileSync(file, 'utf8')
    return { name, key, file, pem, der: Buffer.from(pem.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64') }
  }
}
