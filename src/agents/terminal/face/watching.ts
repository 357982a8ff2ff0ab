/**
 * Watches for one person: holds what the face on a card's photo is recognised by, and tells of each picture how many
 * faces are in it, how the nearest is held, and how far it is from that photo. Runs in the worker; descriptors never leave
 * it.
 */
import type { Box } from './course.ts'
import { knownFiles, type FacePackages } from './packages.ts'
import { openPictureReader, withMargin, type Picture } from './pictures.ts'
import { poseOf, type Pose } from './pose.ts'
import { openModel, type Found } from './sandbox.ts'

export interface Seen {
  readonly faces: number
  readonly box?: Box
  readonly pose?: Pose
  readonly distance?: number
}

export interface Watching {
  /** Whether the card's photo is a picture that holds a face. Wipes the bytes, as `frame` does. */
  photo(bytes: Uint8Array): boolean
  /** Undefined where it is no picture. @param pose how a face must be held to be compared with the photo */
  frame(bytes: Uint8Array, pose: Pose): Seen | undefined
  end(): void
}

/** A camera's face is near; a card's is small, and looked for once. */
const inputSize = { frame: 160, photo: 224 } as const

export const distanceOf = (one: Float32Array, other: Float32Array): number =>
  Math.hypot(...one.map((value, at) => value - (other[at] as number)))

export async function openWatching(packages: FacePackages): Promise<Watching> {
  const read = await openPictureReader()
  const model = openModel(knownFiles(packages))
  let known: Float32Array | undefined

  /** Looks at a picture and forgets it. */
  function look<T>(
    bytes: Uint8Array,
    { size, margin }: { readonly size: number; readonly margin: boolean },
    use: (found: Found, shown: Picture) => T,
  ): T | undefined {
    const picture = read(bytes)
    bytes.fill(0)
    if (!picture) return undefined
    const shown = margin ? withMargin(picture) : picture
    try {
      return use(model.find(shown, size), shown)
    } finally {
      model.forget()
      for (const { rgb } of [picture, shown]) rgb.fill(0)
    }
  }
  const distance = (): number => {
    const described = model.describe()
    try {
      return distanceOf(described, known as Float32Array)
    } finally {
      described.fill(0)
    }
  }

  return {
    photo: (bytes) =>
      look(bytes, { size: inputSize.photo, margin: true }, ({ faces }) => {
        if (faces !== 1) return false
        known = model.describe()
        return true
      }) ?? false,
    frame: (bytes, wanted) =>
      look(bytes, { size: inputSize.frame, margin: false }, (found, { width, height }) => {
        if (!('box' in found)) return { faces: 0 }
        const { faces, box, points } = found
        const share = { x: box.x / width, y: box.y / height, width: box.width / width, height: box.height / height }
        const pose = poseOf(points)
        const compared = faces === 1 && pose === wanted && known !== undefined
        return { faces, box: share, pose, ...(compared ? { distance: distance() } : {}) }
      }),
    end() {
      known?.fill(0)
      known = undefined
    },
  }
}
