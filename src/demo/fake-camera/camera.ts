/**
 * The fake camera: whoever it shows looks into it, turns his head to either side and opens his mouth, over and over, each
 * long enough to be seen. It knows nothing of what the agent asks for.
 */
import { emptyPicture, otherThan, pictureOf, type Portrait } from './portraits.ts'

export const scenes = {
  holder: { zh: '持证人', en: 'the holder' },
  other: { zh: '别人', en: 'somebody else' },
  still: { zh: '持证人，不做动作', en: 'the holder, not moving' },
  nobody: { zh: '没有人', en: 'nobody' },
  broken: { zh: '摄像头坏了', en: 'the camera does not answer' },
} as const
export type Scene = keyof typeof scenes

export interface FakeCamera {
  scene: Scene
  /** A JPEG. */
  picture(): Buffer
}

const poseMs = 1_000
const poses = ['front', 'left', 'right', 'mouth'] as const

/** @param holder whose card was put down last */
export function createFakeCamera(holder: () => Portrait | undefined, now: () => number = Date.now): FakeCamera {
  const camera: FakeCamera = {
    scene: 'holder',
    picture() {
      const shown = holder()
      if (shown === undefined || camera.scene === 'nobody' || camera.scene === 'broken') return emptyPicture()
      if (camera.scene === 'still') return pictureOf(shown, 'front')
      const pose = poses[Math.floor(now() / poseMs) % poses.length] as (typeof poses)[number]
      return pictureOf(camera.scene === 'other' ? otherThan(shown) : shown, pose)
    },
  }
  return camera
}
