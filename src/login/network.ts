/**
 * Whose line an address stands in: an IPv4 address by itself, an IPv6 address with its /64, which is what one
 * subscriber gets (RFC 6177, RFC 7934 §4); an IPv4 address written as IPv6 (RFC 4291 §2.5.5.2) is that address.
 */
import { isIPv6 } from 'node:net'

export function networkOf(address: string): string {
  const [plain = ''] = address.split('%')
  if (!isIPv6(plain)) return plain
  // The URL parser writes each address in one way: lower case, no leading zeros, the last 32 bits in hex.
  const [head = '', tail] = new URL(`http://[${plain}]`).hostname.slice(1, -1).split('::')
  const groups = (text = '') => text.split(':').filter(Boolean)
  const [left, right] = [groups(head), groups(tail)]
  const all = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right]
  if (/^(0 ){5}ffff$/.test(all.slice(0, 6).join(' '))) {
    const bytes = all.slice(6).flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255])
    return bytes.join('.')
  }
  return `${all.slice(0, 4).join(':')}::/64`
}
