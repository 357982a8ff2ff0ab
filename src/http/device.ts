/**
 * The cookie by which a browser is known again after a sign-in: 32 random bytes that say nothing of anybody, first
 * party, read by no script, for a year. Under https bound to this very host (RFC 6265bis §4.1.3.2, `__Host-`), so that
 * no neighbouring site can plant one.
 */
import type { Request, Response } from 'express'
import { cookieOf } from './visit.ts'

export interface DeviceCookie {
  /** What the browser brings; undefined where it brings none or something else. */
  read(request: Request): string | undefined
  write(response: Response, device: string): void
}

const yearMs = 365 * 86_400_000

export function createDeviceCookie({ secure }: { readonly secure: boolean }): DeviceCookie {
  const name = secure ? '__Host-device' : 'device'
  return {
    read(request) {
      const value = cookieOf(request, name)
      return value !== undefined && /^[\w-]{43}$/.test(value) ? value : undefined
    },
    write(response, device) {
      response.cookie(name, device, { maxAge: yearMs, httpOnly: true, sameSite: 'lax', secure, path: '/' })
    },
  }
}
