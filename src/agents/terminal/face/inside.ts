/**
 * What runs inside the model's sandbox (`sandbox.ts`), handed over there as text: it knows nothing of this file or of
 * Node. With the outside it shares text, numbers and rooms of bytes that it made itself, and no object from out there,
 * since each leads back to where it came from.
 */

/** The package as far as it is used; its own types want a browser. */
interface FaceApi {
  readonly tf: {
    env(): { setPlatform(name: string, platform: object): void }
    setBackend(name: string): Promise<boolean>
    ready(): Promise<void>
    tensor3d(values: Int32Array, shape: readonly number[], type: 'int32'): Tensor
    readonly io: { decodeWeights(bytes: ArrayBufferLike, specs: readonly object[]): object }
  }
  readonly env: { setEnv(env: object): void }
  readonly nets: Readonly<Record<string, { loadFromWeightMap(weights: object): void }>> & {
    readonly faceLandmark68Net: { detectLandmarks(face: Tensor): Promise<Landmarks> }
    readonly faceRecognitionNet: { computeFaceDescriptor(face: Tensor): Promise<Float32Array> }
  }
  readonly TinyFaceDetectorOptions: new (options: object) => object
  readonly Rect: new (x: number, y: number, width: number, height: number) => Box
  detectAllFaces(picture: Tensor, options: object): Promise<readonly { readonly box: Box }[]>
  extractFaceTensors(picture: Tensor, boxes: readonly Box[]): Promise<readonly Tensor[]>
}
interface Tensor {
  dispose(): void
}
interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}
interface Landmarks {
  readonly positions: readonly { readonly x: number; readonly y: number }[]
  shiftBy(x: number, y: number): Landmarks
  align(box: null, options: object): Box
}

export function prepare(api: FaceApi) {
  const { tf } = api
  const none = () => {
    throw new Error('not in here')
  }
  class None {}
  tf.env().setPlatform('sandbox', {
    ...{ fetch: none, encode: none, decode: none, setTimeoutCustom: none },
    now: () => Date.now(),
    isTypedArray: (value: unknown) => ArrayBuffer.isView(value) && !(value instanceof DataView),
  })
  api.env.setEnv({
    ...{ Canvas: None, CanvasRenderingContext2D: None, Image: None, ImageData: None, Video: None },
    ...{ createCanvasElement: none, createImageElement: none, createVideoElement: none, fetch: none, readFile: none },
  })

  let weights = new Uint8Array(0)
  let pixels = new Int32Array(0)
  const descriptor = new Float32Array(128)
  let picture: Tensor | undefined
  let landmarks: Landmarks | undefined
  let answer = ''

  /** Everything is computed before the outside goes on, so that it finds the answer there. */
  const answering = (work: Promise<object>) => {
    answer = ''
    work.then(
      (found) => (answer = JSON.stringify(found)),
      (error: unknown) => (answer = JSON.stringify({ error: String(error) })),
    )
  }
  const cut = async (box: Box) => (await api.extractFaceTensors(picture as Tensor, [box]))[0] as Tensor

  async function find(width: number, height: number, inputSize: number): Promise<object> {
    picture = tf.tensor3d(pixels, [height, width, 3], 'int32')
    const options = new api.TinyFaceDetectorOptions({ inputSize, scoreThreshold: 0.3 })
    const boxes = (await api.detectAllFaces(picture, options)).map(({ box }) => box)
    boxes.sort((one, other) => other.width - one.width)
    const [largest] = boxes
    if (!largest) return { faces: 0 }
    // Who stands far behind does not count.
    const faces = boxes.filter((box) => box.width > largest.width / 2).length
    const [x, y] = [Math.max(0, Math.floor(largest.x)), Math.max(0, Math.floor(largest.y))]
    const [right, bottom] = [Math.min(width, largest.x + largest.width), Math.min(height, largest.y + largest.height)]
    const box = new api.Rect(x, y, Math.floor(right - x), Math.floor(bottom - y))
    const face = await cut(box)
    landmarks = (await api.nets.faceLandmark68Net.detectLandmarks(face)).shiftBy(x, y)
    face.dispose()
    const points = landmarks.positions.map((point) => [point.x, point.y])
    return { faces, box: { x, y, width: box.width, height: box.height }, points }
  }

  async function describe(): Promise<object> {
    const face = await cut((landmarks as Landmarks).align(null, { useDlibAlignment: true }))
    const computed = await api.nets.faceRecognitionNet.computeFaceDescriptor(face)
    face.dispose()
    descriptor.set(computed)
    computed.fill(0)
    return {}
  }

  return {
    start: () => answering(tf.setBackend('cpu').then(() => tf.ready().then(() => ({})))),
    answer: () => answer,
    weightRoom: (length: number) => (weights = new Uint8Array(length)),
    load(net: string, manifest: readonly { readonly weights: readonly object[] }[]) {
      const specs = manifest.flatMap((part) => part.weights)
      api.nets[net]?.loadFromWeightMap(tf.io.decodeWeights(weights.buffer, specs))
      weights = new Uint8Array(0)
    },
    pixelRoom: (length: number) => (pixels = new Int32Array(length)),
    find: (width: number, height: number, inputSize: number) => answering(find(width, height, inputSize)),
    describe: () => answering(describe()),
    descriptor: () => descriptor,
    forget() {
      pixels.fill(0)
      descriptor.fill(0)
      picture?.dispose()
      picture = landmarks = undefined
      answer = ''
    },
  }
}
