// Shows training in a page: images drawn on a canvas, centroids as the teacher, WebGPU if there is one. Nothing leaves the computer.
// Run it with: npx vite examples/train-in-the-browser (?backend=ort:wasm in the address chooses a backend)
import { backend as ort } from '@embed-kd/backend-ort'
import { backend as tfjs } from '@embed-kd/backend-tfjs'
import { centroidsOf, Trainer } from '@embed-kd/distill'

const log = (text) => (document.querySelector('#log').textContent += `${text}\n`)
const [size, names] = [16, ['circle', 'square', 'triangle']]
const pad = document.querySelector('#pad').getContext('2d', { willReadFrequently: true })

/** Draws a shape at a random place and size, and returns its pixels. */
function draw(label) {
  const [r, x, y] = [3 + 3 * Math.random(), 6 + 4 * Math.random(), 6 + 4 * Math.random()]
  pad.clearRect(0, 0, size, size)
  pad.beginPath()
  if (label === 0) pad.arc(x, y, r, 0, 7)
  else if (label === 1) pad.rect(x - r, y - r, 2 * r, 2 * r)
  else for (const i of [-1, 0, 1]) pad.lineTo(x + i * r, y + (i === 0 ? -r : r))
  pad.fill()
  const { data } = pad.getImageData(0, 0, size, size)
  return Uint8Array.from(data.filter((_, i) => i % 4 === 3)) // the opacity of each pixel
}
const labels = Array.from({ length: 96 }, (_, i) => i % 3)
const drawn = labels.map(draw)
const images = Uint8Array.from(drawn.flatMap((image) => [...image]))

// Means of the images themselves stand for a teacher; or: readCentroids(await fetch('centroids.safetensors')).
const centroids = centroidsOf(drawn, labels, { normalise: true, classNames: names })

/** Opens the first backend that this browser can use. */
async function open([name, ...others]) {
  const [library, device] = name.split(':')
  const factory = { ort, tfjs }[library]
  return (await factory.probe(device)).available ? factory.create(device) : open(others)
}
const asked = new URLSearchParams(location.search).getAll('backend')
const backend = await open([...asked, 'tfjs:webgpu', 'tfjs:wasm', 'tfjs:cpu'])
log(`training on ${backend.name}, threads: ${backend.versions.threads ?? 1}`)
const trainer = await Trainer.create({
  backend,
  student: 'vit:width=32,layers=2,heads=4,patch=4,image=16',
  classes: 3,
  images: { channels: 1, size },
  method: 'embed-kd',
  teacher: { centroids },
  batch: 32,
})
const data = { images, labels }
for await (const epoch of trainer.fit(data, { epochs: 15, validation: data }))
  log(
    `epoch ${epoch.epoch}: loss ${epoch.trainLoss.toFixed(3)}, accuracy ${epoch.accuracy.toFixed(2)}`,
  )
const { classes, probabilities } = await trainer.predict(draw(2))
log(`this is a ${names[classes[0]]} (${(100 * Math.max(...probabilities)).toFixed(0)} %)`)
