// The page of the browser test, with ONNX Runtime.
import { backend } from '@embed-kd/backend-ort'
import { offer } from '../../../conformance/test/browser/page.js'

offer(backend)
