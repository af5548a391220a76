"""What is drawn over a picture: masks, boxes, labels, in colours that stay with a track."""
