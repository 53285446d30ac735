SELECT epoch, position FROM instance WHERE id = $1
