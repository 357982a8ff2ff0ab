/** What a terminal says of the comparison beside a card, as its agent signs it. */
import type { Asked } from './card-terminal.ts'

export interface AskedFace extends Asked {
  readonly actions: readonly string[]
}

export const faceModel = 'face-api-1.7.15'

/** That it was he, as it was asked for. */
export const faceOf = ({ actions }: Pick<AskedFace, 'actions'>, over: object = {}) => ({
  ...{ model: faceModel, threshold: 0.45, actions, outcome: 'match' },
  ...over,
})
