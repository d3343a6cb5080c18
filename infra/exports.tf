# A second bucket for what is shared, and a distribution in front of it; neither unless it is asked for.
# Without versions: what is revoked is gone at once.

resource "aws_s3_bucket" "exports" {
  count  = var.export_bucket_name == "" ? 0 : 1
  bucket = var.export_bucket_name

  # As the history: only a person may delete it.
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "exports" {
  count  = var.export_bucket_name == "" ? 0 : 1
  bucket = aws_s3_bucket.exports[0].id

  rule {
    bucket_key_enabled = var.kms_key_arn != ""

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == "" ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn == "" ? null : var.kms_key_arn
    }
  }
}

# The distribution is let in by the bucket's policy, which names it; that is not public.
resource "aws_s3_bucket_public_access_block" "exports" {
  count  = var.export_bucket_name == "" ? 0 : 1
  bucket = aws_s3_bucket.exports[0].id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "exports" {
  count  = var.export_bucket_name == "" ? 0 : 1
  bucket = aws_s3_bucket.exports[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "exports" {
  count  = var.export_bucket_name == "" ? 0 : 1
  bucket = aws_s3_bucket.exports[0].id

  rule {
    id     = "exports-that-have-ended"
    status = "Enabled"

    filter {
      prefix = "${var.prefix}exports/"
    }

    expiration {
      days = 91
    }
  }

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

data "aws_iam_policy_document" "exports" {
  count = var.export_bucket_name == "" ? 0 : 1

  statement {
    sid       = "OnlyEncryptedConnections"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.exports[0].arn, "${aws_s3_bucket.exports[0].arn}/*"]

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
    resources = [aws_s3_bucket.exports[0].arn, "${aws_s3_bucket.exports[0].arn}/*"]

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

  dynamic "statement" {
    for_each = var.public_exports == "no" ? [] : [var.export_bucket_name]

    content {
      sid       = "ReadByTheDistribution"
      effect    = "Allow"
      actions   = ["s3:GetObject"]
      resources = ["${aws_s3_bucket.exports[0].arn}/${var.prefix}exports/*"]

      principals {
        type        = "Service"
        identifiers = ["cloudfront.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceArn"
        values   = [aws_cloudfront_distribution.exports[0].arn]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "exports" {
  count  = var.export_bucket_name == "" ? 0 : 1
  bucket = aws_s3_bucket.exports[0].id
  policy = data.aws_iam_policy_document.exports[0].json

  depends_on = [aws_s3_bucket_public_access_block.exports]
}

resource "aws_cloudfront_origin_access_control" "exports" {
  count                             = var.export_bucket_name != "" && var.public_exports == "yes" ? 1 : 0
  name                              = var.export_bucket_name
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

# How long a copy at the edge outlives what was revoked.
resource "aws_cloudfront_cache_policy" "exports" {
  count       = var.export_bucket_name != "" && var.public_exports == "yes" ? 1 : 0
  name        = var.export_bucket_name
  default_ttl = 300
  max_ttl     = 300
  min_ttl     = 0

  parameters_in_cache_key_and_forwarded_to_origin {
    enable_accept_encoding_brotli = false
    enable_accept_encoding_gzip   = true

    cookies_config {
      cookie_behavior = "none"
    }

    headers_config {
      header_behavior = "none"
    }

    query_strings_config {
      query_string_behavior = "none"
    }
  }
}

resource "aws_cloudfront_distribution" "exports" {
  count        = var.export_bucket_name != "" && var.public_exports == "yes" ? 1 : 0
  enabled      = true
  comment      = "NBA Daily, shared exports"
  http_version = "http2and3"
  price_class  = "PriceClass_100"

  origin {
    origin_id                = "exports"
    domain_name              = aws_s3_bucket.exports[0].bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.exports[0].id
  }

  default_cache_behavior {
    target_origin_id       = "exports"
    viewer_protocol_policy = "https-only"
    allowed_methods        = ["GET", "HEAD"]
    cached_methods         = ["GET", "HEAD"]
    cache_policy_id        = aws_cloudfront_cache_policy.exports[0].id
    compress               = true
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = true
  }
}
