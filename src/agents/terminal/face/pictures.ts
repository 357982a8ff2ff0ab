/**
 * Pictures as the model takes them: RGB, three bytes a pixel. JPEG is read by a package in plain JavaScript; BMP, as
 * decoders of card photos write it (24 bits, uncompressed), by the few lines here. Both come from programs that are not
 * ours: whatever is larger than a camera's picture, or is not what it says, is refused.
 */

export interface Picture {
  readonly width: number
  readonly height: number
  readonly rgb: Uint8Array
}

/** 1920 × 1080 fits. */
const mostPixels = 2_100_000
export const longestPicture = 8_000_000

export type PictureReader = (bytes: Uint8Array) => Picture | undefined

/** @returns what reads JPEG and BMP; undefined for everything else */
export async function openPictureReader(): Promise<PictureReader> {
  const { default: jpeg } = await import('jpeg-js')
  const limits = { maxResolutionInMP: mostPixels / 1e6, maxMemoryUsageInMB: 64 }
  const fromJpeg = (bytes: Uint8Array): Picture | undefined => {
    try {
      const read = jpeg.decode(bytes, { useTArray: true, formatAsRGBA: false, tolerantDecoding: false, ...limits })
      const { width, height, data } = read
      return data.length === width * height * 3 && data.length > 0 ? { width, height, rgb: data } : undefined
    } catch {
      return undefined
    }
  }
  return (bytes) => {
    if (bytes.length > longestPicture) return undefined
    if (bytes[0] === 0xff && bytes[1] === 0xd8) return fromJpeg(bytes)
    return bytes[0] === 0x42 && bytes[1] === 0x4d ? fromBmp(bytes) : undefined
  }
}

/** A height below zero means that the rows go from the top down. */
function fromBmp(bytes: Uint8Array): Picture | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (bytes.length < 54 || view.getUint32(14, true) < 40) return undefined
  const [start, width, rows] = [view.getUint32(10, true), view.getInt32(18, true), view.getInt32(22, true)]
  const [planes, bits, compression] = [view.getUint16(26, true), view.getUint16(28, true), view.getUint32(30, true)]
  const height = Math.abs(rows)
  if (planes !== 1 || bits !== 24 || compression !== 0) return undefined
  if (width < 1 || height < 1 || width * height > mostPixels) return undefined
  const stride = Math.ceil((width * 3) / 4) * 4
  // A decoder may leave out the padding of the last row.
  if (start < 54 || start + stride * (height - 1) + width * 3 > bytes.length) return undefined
  const rgb = new Uint8Array(width * height * 3)
  for (let row = 0; row < height; row += 1) {
    const from = start + stride * (rows < 0 ? row : height - 1 - row)
    for (let column = 0; column < width; column += 1) {
      const [source, target] = [from + column * 3, (row * width + column) * 3]
      rgb[target] = bytes[source + 2] as number
      rgb[target + 1] = bytes[source + 1] as number
      rgb[target + 2] = bytes[source] as number
    }
  }
  return { width, height, rgb }
}

/** The picture in the middle of a grey one: the detector misses faces that fill a picture, as on a card. */
export function withMargin({ width, height, rgb }: Picture, share = 0.4): Picture {
  const [left, top] = [Math.round(width * share), Math.round(height * share)]
  const [wide, high] = [width + 2 * left, height + 2 * top]
  const framed = new Uint8Array(wide * high * 3).fill(128)
  for (let row = 0; row < height; row += 1) {
    const target = ((row + top) * wide + left) * 3
    framed.set(rgb.subarray(row * width * 3, (row + 1) * width * 3), target)
  }
  return { width: wide, height: high, rgb: framed }
}
