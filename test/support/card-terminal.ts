/** A synthetic card terminal: signs what it is told to have read, truly or not. */
import { readFileSync } from 'node:fs'
import { CompactSign, importPKCS8 } from 'jose'
import { encodeCardText, type CardText } from '#src/identity/card-text.ts'
import type { DeviceCertificate } from './device-certificates.ts'

/** 刘䶮 of the demo city's cast. */
export const yan: Omit<CardText, 'kind'> = {
  mark: ' ',
  name: '刘䶮',
  sex: '1',
  folk: '01',
  birthDate: '1992-03-05',
  address: '示例市中山路1号',
  number: '690101199203051010',
  authority: '示例市公安局',
  validFrom: '2020-02-29',
  validUntil: '2040-02-28',
}

export interface Asked {
  readonly nonce: string
  readonly attempt: string
}

export interface Device {
  readonly id: string
  readonly sam: string
  /** The device's own first, then those between it and the root. */
  readonly chain: readonly [DeviceCertificate, ...DeviceCertificate[]]
}

export interface Lies {
  readonly header?: object
  readonly payload?: object
  readonly text?: Buffer
  /** Whose key signs. */
  readonly key?: DeviceCertificate
  readonly alg?: string
}

export const payloadOf = ({ id, sam }: Device, asked: Asked, now: number, text: Buffer) => ({
  ...{ nonce: asked.nonce, attempt: asked.attempt, terminal: id, sam },
  readAt: Math.floor(now / 1000),
  text: text.toString('base64url'),
})

export const headerOf = ({ chain }: Device) => ({
  alg: 'SGD_SM3_SM2',
  typ: 'yihao-card-reading+jws',
  x5c: chain.map(({ der }) => der.toString('base64')),
})

/** The reading of a card on this terminal at this moment, as the page gets it from the agent. */
export async function readingOf(device: Device, asked: Asked, now: number, lies: Lies = {}): Promise<string> {
  const payload = { ...payloadOf(device, asked, now, lies.text ?? encodeCardText(yan)), ...lies.payload }
  const { alg = 'SGD_SM3_SM2' } = lies
  const key = await importPKCS8(readFileSync((lies.key ?? device.chain[0]).key, 'utf8'), alg)
  return new CompactSign(Buffer.from(JSON.stringify(payload)))
    .setProtectedHeader({ ...headerOf(device), alg, ...lies.header })
    .sign(key)
}
