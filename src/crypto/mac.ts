/**
 * Port: a keyed hash under a key that its user never sees, HMAC-SM3 (GB/T 32905, GM/T 0042). Asynchronous, so that the
 * key may stand in another process or in hardware.
 */

/** The 32-byte MAC of a text (UTF-8). */
export type Mac = (text: string) => Promise<Buffer>
