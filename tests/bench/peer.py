"""peer.py MODEL_DIR THREADS BATCH OUT: a transformers loop as people write it, beside which Lunette is timed.

It captions the photos whose paths come on standard input, BATCH at a time and greedily, and appends {"file", "text"} a line to OUT as soon as a
batch is done. A test-time peer only: pip install torch==2.13.0 transformers pillow."""
import json, sys


class Peer:
    """A captioner of transformers in float32; raises ImportError where that is not installed."""

    def __init__(self, model, threads):
        import torch
        import transformers
        from PIL import Image
        from transformers import AutoImageProcessor, AutoTokenizer, VisionEncoderDecoderModel
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        self.open = Image.open
        self.model = VisionEncoderDecoderModel.from_pretrained(model, dtype="float32").eval()
        self.tokenizer, self.processor = AutoTokenizer.from_pretrained(model), AutoImageProcessor.from_pretrained(model)
        self.name = f"transformers {transformers.__version__}, torch {torch.__version__}"

    def caption(self, photos, beams):
        images = [self.open(photo).convert("RGB") for photo in photos]
        ids = self.model.generate(self.processor(images, return_tensors="pt").pixel_values, num_beams=beams)
        return self.tokenizer.batch_decode(ids, skip_special_tokens=True)


if __name__ == "__main__":
    peer, batch = Peer(sys.argv[1], int(sys.argv[2])), int(sys.argv[3])
    photos = sys.stdin.read().splitlines()
    with open(sys.argv[4], "w") as out:
        for i in range(0, len(photos), batch):
            some = photos[i:i + batch]
            for photo, text in zip(some, peer.caption(some, 1)):
                print(json.dumps({"file": photo, "text": text.strip()}), file=out, flush=True)
