/**
 * The terminal's camera: a program on this machine that answers with one JPEG when it is asked, such as ustreamer. What
 * is too large, too late or no JPEG is no picture.
 */
export type TakePicture = (signal: AbortSignal) => Promise<Uint8Array | undefined>

const longest = 2_000_000

/** In memory of its own, which can be wiped; the parts are still the caller's to wipe. */
export function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** @param address on the loopback; it is not followed anywhere else */
export function cameraAt(address: string, timeoutMs = 2_000): TakePicture {
  return async (ended) => {
    const parts: Uint8Array[] = []
    let length = 0
    try {
      const signal = AbortSignal.any([ended, AbortSignal.timeout(timeoutMs)])
      const answered = await fetch(address, { signal, redirect: 'error', cache: 'no-store' })
      if (answered.status !== 200 || !answered.body) return void answered.body?.cancel()
      for await (const part of answered.body as AsyncIterable<Uint8Array>) {
        parts.push(part)
        if ((length += part.length) > longest) return undefined
      }
      const picture = joined(parts, length)
      return picture[0] === 0xff && picture[1] === 0xd8 ? picture : void picture.fill(0)
    } catch {
      return undefined
    } finally {
      for (const part of parts) part.fill(0)
    }
  }
}
