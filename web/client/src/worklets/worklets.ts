// Everything that runs on the audio thread, as one module.
import './capture.ts';
import './playback.ts';
