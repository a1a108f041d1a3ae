// One audio connection: the microphone to the call, the call to the loudspeaker.

import { ask } from "/console/api.js";

const GATHER_MS = 2000;

function gathered(connection) {
  return new Promise((done) => {
    const look = () => connection.iceGatheringState === "complete" && done();
    connection.addEventListener("icegatheringstatechange", look);
    setTimeout(done, GATHER_MS); // a STUN server that does not answer must not hold us up
    look();
  });
}

export class Sound {
  constructor(callId, player, lost) {
    this.callId = callId;
    this.player = player;
    this.lost = lost;
    this.connection = null;
    this.microphone = null;
  }

  get connected() {
    return this.connection !== null;
  }

  // Nobody hears anything before the call has taken us in.
  async connect() {
    const { ice_servers: iceServers } = await ask("GET", "/v1/live/browser-audio");
    this.microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
    this.connection = new RTCPeerConnection({ iceServers });
    this.connection.addTrack(this.microphone.getAudioTracks()[0], this.microphone);
    this.connection.addEventListener("track", (event) => {
      this.player.srcObject = new MediaStream([event.track]);
    });
    this.connection.addEventListener("connectionstatechange", () => {
      if (["failed", "closed"].includes(this.connection?.connectionState)) {
        this.close();
        this.lost();
      }
    });
    try {
      await this.connection.setLocalDescription(await this.connection.createOffer());
      await gathered(this.connection);
      const offer = { sdp: this.connection.localDescription.sdp };
      const { sdp } = await ask("POST", `/v1/live/calls/${this.callId}/supervision/browser`, offer);
      await this.connection.setRemoteDescription({ type: "answer", sdp });
    } catch (error) {
      this.close();
      throw error;
    }
  }

  mute(on) {
    for (const track of this.microphone?.getAudioTracks() ?? []) {
      track.enabled = !on;
    }
  }

  close() {
    const { connection } = this;
    this.connection = null;
    connection?.close();
    this.microphone?.getTracks().forEach((track) => track.stop());
    this.microphone = null;
    this.player.srcObject = null;
  }
}
