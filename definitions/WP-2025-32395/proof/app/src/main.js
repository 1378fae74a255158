import './style.css'
import { name } from './name.js'
import note from './note.txt?raw'
import dot from './dot.svg'

document.querySelector('#app').innerHTML = name + note + '<img src="' + dot + '">'
