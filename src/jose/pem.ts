/**
 * PEM (RFC 7468): one block of one label, and nothing before or after it.
 */

/**
 * The bytes of a block with this label.
 * @throws TypeError with this message where it is anything else
 */
export function pemBody(text: unknown, label: string, message: string): Buffer {
  const match =
    typeof text === 'string' && text.match(/^-----BEGIN ([A-Z ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----\s*$/)
  if (!match || match[1] !== label) throw new TypeError(message)
  return Buffer.from(match[2] as string, 'base64')
}

/** A block of these bytes. */
export function pem(der: Buffer, label: string): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`].join('\n')
}
