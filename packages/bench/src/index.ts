// The package's programmatic door is small: the command is the interface. These are what plug-ins and scripts need.
export { UserError } from './errors.js'
