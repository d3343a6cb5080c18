# A private, versioned bucket for the app's history, and a user or a role that may do there what the
# app does and nothing else. cloudformation.yaml makes the same.

provider "aws" {
  region = var.region
}

resource "aws_s3_bucket" "state" {
  bucket = var.bucket_name

  # The history outlives everything else here: only a person may delete it.
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "state" {
  bucket = aws_s3_bucket.state.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    bucket_key_enabled = var.kms_key_arn != ""

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == "" ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn == "" ? null : var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "state" {
  bucket = aws_s3_bucket.state.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

# Nothing here moves an object to another storage class, and a current one expires only where it is an
# export or a picture. No rule reaches what lies below log/, bases/, bronze/ or csv/: an older version
# there is what a mistake is mended from, by `doctor --repair` or by hand.
resource "aws_s3_bucket_lifecycle_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  # Old versions are only there to expire once versioning is on.
  depends_on = [aws_s3_bucket_versioning.state]

  rule {
    id     = "old-versions-of-snapshots"
    status = "Enabled"

    filter {
      prefix = "${var.prefix}snapshots/"
    }

    noncurrent_version_expiration {
      noncurrent_days = var.old_versions_days
    }

    expiration {
      expired_object_delete_marker = true
    }
  }

  rule {
    id     = "old-versions-of-backups"
    status = "Enabled"

    filter {
      prefix = "${var.prefix}backups/"
    }

    noncurrent_version_expiration {
      noncurrent_days = var.old_versions_days
    }

    expiration {
      expired_object_delete_marker = true
    }
  }

  rule {
    id     = "old-versions-of-what-a-probe-wrote"
    status = "Enabled"

    filter {
      prefix = "${var.prefix}probe/"
    }

    noncurrent_version_expiration {
      noncurrent_days = 1
    }

    expiration {
      expired_object_delete_marker = true
    }
  }

  rule {
    id     = "old-versions-of-the-copy-for-people"
    status = "Enabled"

    filter {
      prefix = "${var.prefix}nba_stats.db.zst"
    }

    noncurrent_version_expiration {
      noncurrent_days = var.old_versions_days
    }
  }

  rule {
    id     = "old-versions-of-the-hint"
    status = "Enabled"

    filter {
      prefix = "${var.prefix}head.json"
    }

    noncurrent_version_expiration {
      noncurrent_days = var.old_versions_days
    }
  }

  # The app or its daily job removes an export, after 90 days at the latest; this is for what a crash leaves
  # behind.
  rule {
    id     = "exports-that-have-ended"
    status = "Enabled"

    filter {
      prefix = "${var.prefix}exports/"
    }

    expiration {
      days = 91
    }

    noncurrent_version_expiration {
      noncurrent_days = 1
    }
  }

  # One that is gone is fetched again.
  rule {
    id     = "pictures-of-long-ago"
    status = "Enabled"

    filter {
      prefix = "${var.prefix}images/"
    }

    expiration {
      days = 365
    }

    noncurrent_version_expiration {
      noncurrent_days = 1
    }
  }

  # Parts of an upload that broke off; they are no object yet.
  rule {
    id     = "broken-off-uploads"
    status = "Enabled"

    filter {
      prefix = ""
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "OnlyEncryptedConnections"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.state.arn, "${aws_s3_bucket.state.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  statement {
    sid       = "NoOutdatedEncryption"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.state.arn, "${aws_s3_bucket.state.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "NumericLessThan"
      variable = "s3:TlsVersion"
      values   = ["1.2"]
    }
  }
}

resource "aws_s3_bucket_policy" "state" {
  bucket = aws_s3_bucket.state.id
  policy = data.aws_iam_policy_document.bucket.json

  depends_on = [aws_s3_bucket_public_access_block.state]
}

# The statements are those that `python cli.py doctor --policy` prints.
data "aws_iam_policy_document" "app" {
  # Without ListBucket a missing object is answered with a refusal.
  statement {
    sid       = "SeeWhatIsThere"
    effect    = "Allow"
    actions   = ["s3:ListBucket", "s3:ListBucketVersions"]
    resources = [aws_s3_bucket.state.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["${var.prefix}*"]
    }
  }

  statement {
    sid       = "ReadAndCreate"
    effect    = "Allow"
    actions   = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"]
    resources = ["${aws_s3_bucket.state.arn}/${var.prefix}*"]
  }

  # Shortcuts and copies only. The history itself this identity cannot delete.
  statement {
    sid     = "TidyUp"
    effect  = "Allow"
    actions = ["s3:DeleteObject"]
    resources = [
      "${aws_s3_bucket.state.arn}/${var.prefix}backups/*",
      "${aws_s3_bucket.state.arn}/${var.prefix}exports/*",
      "${aws_s3_bucket.state.arn}/${var.prefix}probe/*",
      "${aws_s3_bucket.state.arn}/${var.prefix}snapshots/*",
    ]
  }

  statement {
    sid    = "ExamineTheBucket"
    effect = "Allow"
    actions = [
      "s3:GetBucketPublicAccessBlock",
      "s3:GetBucketVersioning",
      "s3:GetEncryptionConfiguration",
      "s3:GetLifecycleConfiguration",
    ]
    resources = [aws_s3_bucket.state.arn]
  }

  dynamic "statement" {
    for_each = var.export_bucket_name == "" ? [] : [var.export_bucket_name]

    content {
      sid       = "SeeExports"
      effect    = "Allow"
      actions   = ["s3:ListBucket", "s3:ListBucketVersions"]
      resources = [aws_s3_bucket.exports[0].arn]

      condition {
        test     = "StringLike"
        variable = "s3:prefix"
        values   = ["${var.prefix}exports/*"]
      }
    }
  }

  dynamic "statement" {
    for_each = var.export_bucket_name == "" ? [] : [var.export_bucket_name]

    content {
      sid       = "KeepExports"
      effect    = "Allow"
      actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
      resources = ["${aws_s3_bucket.exports[0].arn}/${var.prefix}exports/*"]
    }
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == "" ? [] : [var.kms_key_arn]

    content {
      sid       = "UseTheKey"
      effect    = "Allow"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_policy" "app" {
  name        = var.identity_name
  description = "What NBA Daily does in its bucket."
  policy      = data.aws_iam_policy_document.app.json
}

# Its access key is made by hand: Terraform would keep it readable in its state. So it does not know
# the key either, and a user with a key is only deleted by force.
resource "aws_iam_user" "app" {
  count         = var.identity == "user" ? 1 : 0
  name          = var.identity_name
  force_destroy = true
}

resource "aws_iam_user_policy_attachment" "app" {
  count      = var.identity == "user" ? 1 : 0
  user       = aws_iam_user.app[0].name
  policy_arn = aws_iam_policy.app.arn
}

data "aws_iam_policy_document" "trust" {
  statement {
    effect  = "Allow"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [var.trusted_service]
    }
  }
}

resource "aws_iam_role" "app" {
  count              = var.identity == "role" ? 1 : 0
  name               = var.identity_name
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy_attachment" "app" {
  count      = var.identity == "role" ? 1 : 0
  role       = aws_iam_role.app[0].name
  policy_arn = aws_iam_policy.app.arn
}

resource "aws_iam_instance_profile" "app" {
  count = var.identity == "role" && var.trusted_service == "ec2.amazonaws.com" ? 1 : 0
  name  = var.identity_name
  role  = aws_iam_role.app[0].name
}
