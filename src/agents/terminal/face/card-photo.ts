/**
 * The photo of a card, made readable: its 1,024 bytes are in a format of the police's that vendors of readers deliver a
 * decoder for. Theirs runs as a program of its own, which gets the bytes, gives a picture, and no time to do more.
 */
import { spawn } from 'node:child_process'
import { joined } from './camera.ts'

/** JPEG or BMP; undefined where the program fails, hangs or floods. The caller wipes both. */
export type DecodePhoto = (photo: Uint8Array, signal: AbortSignal) => Promise<Uint8Array | undefined>

const longest = 1_000_000

/** @param command the program, by its path, and its arguments */
export function photoDecoder([program = '', ...args]: readonly string[], timeoutMs = 5_000): DecodePhoto {
  return (photo, ended) =>
    new Promise((done) => {
      const signal = AbortSignal.any([ended, AbortSignal.timeout(timeoutMs)])
      const parts: Buffer[] = []
      let length = 0
      let over = false
      const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'], cwd: '/' })
      const end = (worked: boolean) => {
        if (over) return
        over = true
        signal.removeEventListener('abort', fail)
        child.kill('SIGKILL')
        // Whatever the program has started may still hold the other ends.
        child.stdout.destroy()
        child.stdin.destroy()
        done(worked && length > 0 ? joined(parts, length) : undefined)
        for (const part of parts) part.fill(0)
      }
      const fail = () => end(false)
      signal.addEventListener('abort', fail)
      child.on('error', fail)
      child.on('close', (status) => end(status === 0))
      child.stdout.on('data', (part: Buffer) => {
        parts.push(part)
        if ((length += part.length) > longest) fail()
      })
      for (const stream of [child.stdin, child.stdout]) stream.on('error', () => undefined)
      // A copy, since it may be written after the caller has wiped what it gave.
      const given = Buffer.from(photo)
      child.stdin.end(given, () => given.fill(0))
      if (signal.aborted) fail()
    })
}
